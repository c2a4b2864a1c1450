/**
 * What a hashing worker is told and says.
 *
 * @module
 */

import type { DenseType } from "../../quant/layouts/layout.ts";

/** The memory that is shared; the bytes of a stream, at a place in it or handed over (floats to be looked through: of which type); or that a stream is whole. */
export type HashRequest =
  | { readonly memory: Uint8Array<SharedArrayBuffer> }
  | { readonly stream: number; readonly offset: number; readonly length: number }
  | {
    readonly stream: number;
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly floats?: DenseType | undefined;
  }
  | { readonly end: number };

/** A place that may be written again, a buffer that was handed over and is done with, or what a stream that ended was. */
export type HashReply =
  | { readonly free: number }
  | { readonly done: ArrayBuffer }
  | { readonly ended: number; readonly digest: string; readonly nonFinite: boolean };
