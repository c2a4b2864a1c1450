/**
 * Checks the types of parsed JSON values.
 *
 * @module
 */

/** Returns `value` as an object. @throws {TypeError} when it is not one. The message names `what`. */
export function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`Cannot load the tokenizer: ${what} is ${kind(value)}, expected an object`);
  }
  return value as Record<string, unknown>;
}

/** Returns `value` as an array. @throws {TypeError} when it is not one. The message names `what`. */
export function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot load the tokenizer: ${what} is ${kind(value)}, expected an array`);
  }
  return value;
}

/** Returns `value` as a boolean, or `otherwise` if it is missing or null. @throws {TypeError} when it is anything else. */
export function flag(value: unknown, what: string, otherwise?: boolean): boolean {
  if (typeof value === "boolean") return value;
  if (otherwise !== undefined && (value === undefined || value === null)) return otherwise;
  throw new TypeError(
    `Cannot load the tokenizer: ${what} is ${kind(value)}, expected true or false`,
  );
}

/** The type of a value, in words. */
export function kind(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "missing";
  if (value === "") return "an empty text";
  return Array.isArray(value) ? "an array" : typeof value;
}
