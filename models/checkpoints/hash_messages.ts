/**
 * Messages to and from a hashing worker.
 *
 * @module
 */

import type { DenseType } from "../../quant/layouts/layout.ts";

/**
 * A request: the shared memory; bytes of a stream, either at an offset in that memory or transferred (`floats` is their type if they are to be
 * checked for NaN and infinity); or the end of a stream.
 */
export type HashRequest =
  | { readonly memory: Uint8Array<SharedArrayBuffer> }
  | { readonly stream: number; readonly offset: number; readonly length: number }
  | {
    readonly stream: number;
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly floats?: DenseType | undefined;
  }
  | { readonly end: number };

/** A reply: an offset that may be overwritten, a transferred buffer that has been processed, or the result of a stream that ended. */
export type HashReply =
  | { readonly free: number }
  | { readonly done: ArrayBuffer }
  | { readonly ended: number; readonly digest: string; readonly nonFinite: boolean };
