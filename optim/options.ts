/**
 * Checks the options of public functions: unknown names and meaningless values are rejected by name.
 *
 * @module
 */
import { nearestName } from "./nearest_name.ts";

/** The condition that a number must satisfy. */
export interface NumberRule {
  /** Least value. */
  readonly min?: number;
  /** Greatest value. */
  readonly max?: number;
  /** Whether `min` itself is excluded. */
  readonly above?: boolean;
  /** Whether `max` itself is excluded. */
  readonly below?: boolean;
  /** Whether it must be an integer. */
  readonly whole?: boolean;
  /** Whether infinity is also accepted, regardless of `max`. */
  readonly infinite?: boolean;
}

/** The condition for an option that is a word or a flag. */
export interface WordRule {
  /** The allowed words. */
  readonly of?: readonly string[];
  /** Whether it is true or false. */
  readonly flag?: true;
}

/** The condition for an option. `"any"`: its user checks it. */
export type OptionRule =
  | "any"
  | (NumberRule | WordRule) & {
    /** Description of other accepted values: objects that their user checks. */
    readonly or?: string;
    /** Whether the option is required. */
    readonly required?: true;
  };

/** A rule for every option. */
export type OptionRules<Options extends object> = {
  readonly [Name in keyof Required<Options>]: OptionRule;
};

/** The values that `rule` allows, as text after "must be". */
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

/** A number for people: 1e18 and 1e-6 are written as such. */
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

/** An integer of at least 1. */
export const count: NumberRule = { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true };
/** An integer of at least 0. */
export const countOrNone: NumberRule = { ...count, min: 0 };
/** A fraction between 0 and 1, both excluded. */
export const share: NumberRule = { min: 0, above: true, max: 1, below: true };
/** The fraction of a running value that a step keeps, from 0 to below 1. */
export const decay: NumberRule = { min: 0, max: 1, below: true };
/** A positive number that f32 can represent, as well as its reciprocal times 1024: the distance of a perturbation, or a threshold. */
export const magnitude: NumberRule = { min: 1e-30, max: 1e30 };
/** A positive number whose square, and the reciprocal of the square, are f32 numbers that no device flushes to zero. */
export const squared: NumberRule = { min: 1e-18, max: 1e18 };
/** A learning rate, representable in f32. */
export const rate: NumberRule = { min: 0, max: 3e38 };
/** A learning rate, or a schedule. */
export const scheduled: NumberRule & { readonly or: string } = { ...rate, or: "a schedule" };
/** Number of directions per step. */
export const directions: NumberRule = { min: 1, max: 1024, whole: true };

/**
 * Rejects options that are not in `rules`, and numbers that their rules do not allow. An undefined value counts as not given.
 *
 * @param what The attempted action, as text after "Cannot".
 * @throws {RangeError} for an unknown name (suggesting the closest known one) or a number out of range.
 * @throws {TypeError} when `options` is not an object, or a value has the wrong type.
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
 * Rejects a number that a rule does not allow.
 *
 * @param what The attempted action, as text after "Cannot".
 * @throws {RangeError} for a number out of range.
 * @throws {TypeError} when it is not a number.
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
