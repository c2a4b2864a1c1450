/**
 * What a command line gets wrong.
 *
 * @module
 */

/** An unknown command or flag, or one that misses its value: shown without a stack. */
export class UsageError extends Error {
  override name = "UsageError";
}
