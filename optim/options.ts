/**
 * Options of public functions: a name that nobody reads and a value that nobody can have meant are refused by name.
 *
 * @module
 */
import { nearestName } from "./nearest_name.ts";

/** What the number of an option must be. */
export interface NumberRule {
  /** Smallest value. */
  readonly min?: number;
  /** Largest value. */
  readonly max?: number;
  /** Whether `min` itself is refused. */
  readonly above?: boolean;
  /** Whether `max` itself is refused. */
  readonly below?: boolean;
  /** Without a fraction. */
  readonly whole?: boolean;
  /** Whether infinity is taken too, whatever `max` is. */
  readonly infinite?: boolean;
}

/** What an option must be that is a word or a flag. */
export interface WordRule {
  /** The words. */
  readonly of?: readonly string[];
  /** True or false. */
  readonly flag?: true;
}

/** What an option must be; `"any"`: whoever uses it looks at it. With `or`, an object is taken too, and looked at by whoever uses it.
 * One that is `required` has no default. */
export type OptionRule =
  | "any"
  | (NumberRule | WordRule) & { readonly or?: string; readonly required?: true };

/** A rule for every option there is. */
export type OptionRules<Options extends object> = {
  readonly [Name in keyof Required<Options>]: OptionRule;
};

/** What `rule` allows, as it follows "must be". */
export function numberText(rule: NumberRule): string {
  if (rule.min !== undefined && rule.min === rule.max) return String(rule.min);
  return `${rule.whole ? "an integer" : "a number"} ${rangeText(rule)}`;
}

function rangeText(
  { min = -Infinity, max = Infinity, above = false, below = false, infinite = false }: NumberRule,
): string {
  const most = max !== Infinity && max !== Number.MAX_SAFE_INTEGER;
  const or = infinite && most ? ", or infinity" : "";
  if (!most) {
    return min === -Infinity ? "that is finite" : `${above ? "above" : "of at least"} ${min}`;
  }
  const to = below ? `below ${max}` : above ? `at most ${max}` : `${max}`;
  return (above ? `above ${min} and ${to}` : `from ${min} to ${to}`) + or;
}

/** Whether a rule allows a number. */
export function isWithin(
  value: number,
  { min = -Infinity, max = Infinity, above, below, whole, infinite = false }: NumberRule,
): boolean {
  if (value === Infinity) return infinite;
  return Number.isFinite(value) && (above ? value > min : value >= min) &&
    (below ? value < max : value <= max) && (!whole || Number.isInteger(value));
}

/** A whole number of at least 1. */
export const count: NumberRule = { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true };
/** A whole number of at least 0. */
export const countOrNone: NumberRule = { ...count, min: 0 };
/** A share above 0 and below 1. */
export const share: NumberRule = { min: 0, above: true, max: 1, below: true };
/** A share that a step keeps of a running value, from 0 to below 1. */
export const decay: NumberRule = { min: 0, max: 1, below: true };
/**
 * A number above 0 that a scalar program holds in f32, and its reciprocal times 1024 too: how far a direction is looked along, a threshold.
 */
export const magnitude: NumberRule = { min: 1e-30, max: 1e30 };
/** A number above 0 whose square and the square's reciprocal are f32 that no device flushes. */
export const squared: NumberRule = { min: 1e-18, max: 1e18 };
/** Directions of a step. */
export const directions: NumberRule = { min: 1, max: 1024, whole: true };

/**
 * Refuses options that are not in `rules`, and numbers that they do not allow. What is undefined is not given.
 *
 * @param what is attempted, in words that follow "Cannot".
 * @throws RangeError for an unknown name (with the nearest known one) or a number out of range; TypeError for options that are no object, or
 * something else than a number where there is a rule.
 */
export function assertOptions<Options extends object>(
  what: string,
  options: Options,
  rules: OptionRules<Options>,
): void {
  const given: unknown = options;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const found = given === null ? "null" : Array.isArray(given) ? "a list" : `a ${typeof given}`;
    throw new TypeError(`Cannot ${what}: options are ${found}, expected an object`);
  }
  const known = rules as Readonly<Record<string, OptionRule>>;
  const values = options as Readonly<Record<string, unknown>>;
  for (const [name, rule] of Object.entries(known)) {
    if (rule === "any" || !rule.required || values[name] !== undefined) continue;
    throw new TypeError(`Cannot ${what}: ${name} is missing`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(known, name)) {
      const near = nearestName(name, Object.keys(known));
      const advice = near === undefined
        ? `known are ${Object.keys(known).join(", ")}`
        : `did you mean "${near}"?`;
      throw new RangeError(
        `Cannot ${what}: unknown option ${JSON.stringify(name.slice(0, 60))}, ${advice}`,
      );
    }
    const rule = known[name];
    if (rule === "any" || rule.or !== undefined && typeof value === "object" && value !== null) {
      continue;
    }
    if ("of" in rule && rule.of) assertWord(what, name, value, rule.of);
    else if ("flag" in rule) assertFlag(what, name, value);
    else assertNumber(what, name, value, rule as NumberRule);
  }
}

function shownValue(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value);
}

/**
 * Refuses a number that a rule does not allow.
 *
 * @param what is attempted, in words that follow "Cannot".
 * @throws RangeError, or TypeError for what is no number.
 */
export function assertNumber(what: string, name: string, value: unknown, rule: NumberRule): void {
  if (typeof value === "number" && isWithin(value, rule)) return;
  const Class = typeof value === "number" ? RangeError : TypeError;
  throw new Class(
    `Cannot ${what}: ${name} must be ${numberText(rule)}, not ${shownValue(value)}`,
  );
}

function assertWord(what: string, name: string, value: unknown, of: readonly string[]): void {
  if (typeof value === "string" && of.includes(value)) return;
  const Class = typeof value === "string" ? RangeError : TypeError;
  throw new Class(
    `Cannot ${what}: ${name} must be one of ${of.join(", ")}, not ${shownValue(value)}`,
  );
}

function assertFlag(what: string, name: string, value: unknown): void {
  if (typeof value === "boolean") return;
  throw new TypeError(`Cannot ${what}: ${name} must be true or false, not ${shownValue(value)}`);
}
