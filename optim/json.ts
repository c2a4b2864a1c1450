/**
 * Values that survive a round trip through JSON: what a ledger header may hold.
 *
 * @module
 */

/** Anything that `JSON.stringify` keeps. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
