/**
 * Fields of a header whose shape is not known yet.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";

/** One field of a record of unknown shape. */
export type Fields = Readonly<Record<string, unknown>>;

/** What is thrown for a header that says something impossible. */
export function bad(why: string): SyntaxError {
  return new SyntaxError(`Cannot read ledger header: ${why}`);
}

/** Whether a value has fields. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value's fields; throws where it has none. */
export function fields(value: unknown, what: string): Fields {
  if (isFields(value)) return value;
  throw bad(`${what} is not an object`);
}

/** A field that is a string. */
export function text(from: Fields, key: string): string {
  const value = from[key];
  if (typeof value === "string") return value;
  throw bad(`"${key}" is ${JSON.stringify(value)}, not a string`);
}

/** A field that is an integer within bounds. */
export function integer(from: Fields, key: string, minimum: number, maximum: number): number {
  const value = from[key];
  if (Number.isInteger(value) && value as number >= minimum && value as number <= maximum) {
    return value as number;
  }
  throw bad(`"${key}" is ${JSON.stringify(value)}, not an integer from ${minimum} to ${maximum}`);
}

/** A field that is one of some words. */
export function choice<Choice extends string>(
  from: Fields,
  key: string,
  choices: readonly Choice[],
): Choice {
  const value = choices.find((known) => known === from[key]);
  if (value !== undefined) return value;
  throw bad(`"${key}" is ${JSON.stringify(from[key])}, not one of ${choices.join(", ")}`);
}

/** A field that is anything. */
export function json(from: Fields, key: string): JsonValue {
  const value = from[key];
  if (value === undefined) throw bad(`"${key}" is missing`);
  return value as JsonValue;
}

/** A field that is true where it is there at all. */
export function trueOf(from: Fields, key: string): true {
  if (from[key] === true) return true;
  throw bad(`"${key}" is ${JSON.stringify(from[key])}, not true`);
}
