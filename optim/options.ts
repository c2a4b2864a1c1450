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
  /** Without a fraction. */
  readonly whole?: boolean;
  /** Whether infinity is taken. */
  readonly infinite?: boolean;
}

/** What an option must be; `"any"`: whoever uses it looks at it. */
export type OptionRule = "any" | NumberRule;

/** A rule for every option there is. */
export type OptionRules<Options extends object> = {
  readonly [Name in keyof Required<Options>]: OptionRule;
};

/** A whole number of at least 1. */
export const count: NumberRule = { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true };
/** A whole number of at least 0. */
export const countOrNone: NumberRule = { ...count, min: 0 };

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
    if (rule !== "any") assertNumber(what, name, value, rule);
  }
}

function assertNumber(what: string, name: string, value: unknown, rule: NumberRule): void {
  const { min = -Infinity, max = Infinity, above = false, whole = false, infinite = false } = rule;
  const inside = typeof value === "number" && value <= max && (above ? value > min : value >= min);
  if (inside && (Number.isFinite(value) || infinite) && (!whole || Number.isInteger(value))) return;
  const kind = whole ? "an integer" : "a number";
  const from = above ? `above ${min}` : `of at least ${min}`;
  const range = max < Number.MAX_SAFE_INTEGER
    ? above ? `above ${min} and at most ${max}` : `from ${min} to ${max}`
    : min > -Infinity
    ? from
    : "that is finite";
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value);
  const Class = typeof value === "number" ? RangeError : TypeError;
  throw new Class(`Cannot ${what}: ${name} must be ${kind} ${range}, not ${shown}`);
}
