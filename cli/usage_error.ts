/**
 * The error for mistakes on a command line.
 *
 * @module
 */

/** A mistake on the command line, such as an unknown command or flag, or a missing value. */
export class UsageError extends Error {
  override name = "UsageError";
}
