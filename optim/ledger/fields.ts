/**
 * Reads fields of a header whose shape has not been checked yet.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";

/** An object of unknown shape. */
export type Fields = Readonly<Record<string, unknown>>;

/** The error for an invalid header. */
export function bad(why: string): SyntaxError {
  return new SyntaxError(`Cannot read ledger header: ${why}`);
}

/** Whether a value is an object with fields. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of a value. Throws {@linkcode bad} if it is not an object. */
export function fields(value: unknown, what: string): Fields {
  if (isFields(value)) return value;
  throw bad(`${what} is not an object`);
}

/** Reads a string. Throws {@linkcode bad} for anything else, as all functions below. */
export function text(from: Fields, key: string): string {
  const value = from[key];
  if (typeof value === "string") return value;
  throw bad(`"${key}" is ${JSON.stringify(value)}, not a string`);
}

/** Reads an integer within bounds. */
export function integer(from: Fields, key: string, minimum: number, maximum: number): number {
  const value = from[key];
  if (Number.isInteger(value) && value as number >= minimum && value as number <= maximum) {
    return value as number;
  }
  throw bad(`"${key}" is ${JSON.stringify(value)}, not an integer from ${minimum} to ${maximum}`);
}

/** Reads one of several words. */
export function choice<Choice extends string>(
  from: Fields,
  key: string,
  choices: readonly Choice[],
): Choice {
  const value = choices.find((known) => known === from[key]);
  if (value !== undefined) return value;
  throw bad(`"${key}" is ${JSON.stringify(from[key])}, not one of ${choices.join(", ")}`);
}

/** Reads any value. The field must be present. */
export function json(from: Fields, key: string): JsonValue {
  const value = from[key];
  if (value === undefined) throw bad(`"${key}" is missing`);
  return value as JsonValue;
}

/** Reads a field whose only value is true. */
export function trueOf(from: Fields, key: string): true {
  if (from[key] === true) return true;
  throw bad(`"${key}" is ${JSON.stringify(from[key])}, not true`);
}
