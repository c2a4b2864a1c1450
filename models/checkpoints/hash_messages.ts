/**
 * What a hashing worker is told and says.
 *
 * @module
 */

/** The memory that is shared; the bytes of a stream at a place in it; or that a stream is whole. */
export type HashRequest =
  | { readonly memory: Uint8Array<SharedArrayBuffer> }
  | { readonly stream: number; readonly offset: number; readonly length: number }
  | { readonly end: number };

/** A place that may be written again, or the digest of a stream that ended. */
export type HashReply =
  | { readonly free: number }
  | { readonly ended: number; readonly digest: string };
