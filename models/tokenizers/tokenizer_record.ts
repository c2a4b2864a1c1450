/**
 * Parsed JSON of which nothing is known yet.
 *
 * @module
 */

/** `value` as an object of entries; a TypeError that names `what` otherwise. */
export function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`Cannot load the tokenizer: ${what} is ${kind(value)}, expected an object`);
  }
  return value as Record<string, unknown>;
}

/** `value` as a list; a TypeError that names `what` otherwise. */
export function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot load the tokenizer: ${what} is ${kind(value)}, expected an array`);
  }
  return value;
}

/** `value` as a boolean, `otherwise` where it is missing or null. */
export function flag(value: unknown, what: string, otherwise?: boolean): boolean {
  if (typeof value === "boolean") return value;
  if (otherwise !== undefined && (value === undefined || value === null)) return otherwise;
  throw new TypeError(
    `Cannot load the tokenizer: ${what} is ${kind(value)}, expected true or false`,
  );
}

/** What a value is, in words. */
export function kind(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "missing";
  if (value === "") return "an empty text";
  return Array.isArray(value) ? "an array" : typeof value;
}
