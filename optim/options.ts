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

/** What an option must be; `"any"`: whoever uses it looks at it. */
export type OptionRule =
  | "any"
  | (NumberRule | WordRule) & {
    /** What it may be besides, in words: an object that whoever uses it looks at. */
    readonly or?: string;
    /** It has no default. */
    readonly required?: true;
  };

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
  const [least, largest] = [numberWord(min), numberWord(max)];
  const or = infinite && most ? ", or infinity" : "";
  if (!most) {
    return min === -Infinity ? "that is finite" : `${above ? "above" : "of at least"} ${least}`;
  }
  const to = below ? `below ${largest}` : above ? `at most ${largest}` : largest;
  return `${above ? `above ${least} and` : `from ${least} to`} ${to}${or}`;
}

/** A number for people: 1e18 and 1e-6 as such. */
export function numberWord(value: number): string {
  const size = Math.abs(value);
  return size > 0 && (size < 1e-4 || size >= 1e10) && size < Infinity
    ? value.toExponential().replace("e+", "e")
    : String(value);
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
/** A learning rate: f32 holds it. */
export const rate: NumberRule = { min: 0, max: 3e38 };
/** A learning rate, or one over the steps. */
export const scheduled: NumberRule & { readonly or: string } = { ...rate, or: "a schedule" };
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
    throw new TypeError(`Cannot ${what}: the options are ${found}, expected an object`);
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
        ? `expected one of ${Object.keys(known).join(", ")}`
        : `did you mean "${near}"?`;
      throw new RangeError(
        `Cannot ${what}: unknown option ${JSON.stringify(name.slice(0, 60))}, ${advice}`,
      );
    }
    if (known[name] !== "any") assertValue(what, name, value, known[name]);
  }
}

/**
 * Refuses a number that a rule does not allow.
 *
 * @param what is attempted, in words that follow "Cannot".
 * @throws RangeError, or TypeError for what is no number.
 */
export function assertNumber(what: string, name: string, value: unknown, rule: NumberRule): void {
  assertValue(what, name, value, rule);
}

function assertValue(
  what: string,
  name: string,
  value: unknown,
  rule: Exclude<OptionRule, "any">,
): void {
  if (rule.or !== undefined && Object(value) === value && !Array.isArray(value)) return;
  const bounds = rule as NumberRule;
  const [kind, right, wanted] = "of" in rule && rule.of
    ? ["string", rule.of.includes(value as string), `one of ${rule.of.join(", ")}`]
    : "flag" in rule
    ? ["boolean", true, "true or false"]
    : ["number", isWithin(value as number, bounds), numberText(bounds)];
  const found = typeof value;
  if (found === kind && right) return;
  const Class = found === kind ? RangeError : TypeError;
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value);
  throw new Class(
    `Cannot ${what}: ${name} must be ${wanted}${rule.or ? `, or ${rule.or}` : ""}, not ${shown}`,
  );
}
