/**
 * JSON values, which a ledger header can contain.
 *
 * @module
 */

/** Any value that survives `JSON.stringify` and `JSON.parse`. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
