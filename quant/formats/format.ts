/**
 * A format: its name in files, its layout in memory, and the conversion in both directions.
 *
 * @module
 */

import type { PieceMemory } from "../piece_memory.ts";
import type { Layout, PackedTensor } from "../layouts/layout.ts";

/** How GGUF files store a format: as rows of blocks. */
export interface GgufBlocks {
  /** Number of the type in a GGUF tensor table. */
  readonly type: number;
  /** Elements per block. */
  readonly blockElements: number;
  /** Bytes per block. */
  readonly blockBytes: number;
}

/** One entry of the table of formats. */
export interface Format {
  /** Name as spelled by GGUF or by this library's own files. */
  readonly name: string;
  /** Layout in memory. */
  readonly layout: Layout;
  /** How GGUF stores it. Only present for formats that GGUF has. */
  readonly gguf?: GgufBlocks;
  /**
   * Bytes of one row of `columns` elements. For this library's own formats these are codes and scales, without the
   * codebook and without the padding of the last word.
   *
   * @throws {RangeError} for a number of columns that the format cannot hold.
   */
  rowBytes(columns: number): number;
  /**
   * Converts the file's bytes of `rows` whole rows into planes, a lossless reordering. The bytes are GGUF blocks or,
   * for this library's own formats, the planes `codes`, `scales` and `codebook` one after the other. If `memory` is
   * given, the planes may be allocated from it.
   *
   * @throws {RangeError} for an impossible shape.
   * @throws {TypeError} when the number of bytes does not match the shape.
   */
  unpack(bytes: Uint8Array, rows: number, columns: number, memory?: PieceMemory): PackedTensor;
  /**
   * As `unpack`, but without a copy: the planes are views of the memory of `bytes`, which must be a whole buffer.
   * Returns undefined if that is not possible for these bytes. The method is absent if it is never possible for the
   * format.
   */
  adopt?(
    bytes: Uint8Array<ArrayBuffer>,
    rows: number,
    columns: number,
  ): PackedTensor | undefined;
  /**
   * The inverse of `unpack`.
   *
   * @throws {TypeError} for a tensor of another layout, or with planes of the wrong length.
   */
  pack(t: PackedTensor): Uint8Array<ArrayBuffer>;
}
