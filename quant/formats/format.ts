/**
 * What a format is: a name as the files spell it, the layout it becomes in memory, and the two ways between them.
 *
 * @module
 */

import type { PieceMemory } from "../piece_memory.ts";
import type { Layout, PackedTensor } from "../layouts/layout.ts";

/** How GGUF files store a format: rows of blocks. */
export interface GgufBlocks {
  /** The number of the type in a GGUF file's tensor table. */
  readonly type: number;
  /** Elements in a block. */
  readonly blockElements: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
}

/** One entry of the table of formats. */
export interface Format {
  /** As GGUF or this library's own files spell it. */
  readonly name: string;
  /** The layout in memory. */
  readonly layout: Layout;
  /** Only for formats that GGUF has. */
  readonly gguf?: GgufBlocks;
  /**
   * Bytes of one row of `columns` elements (own formats: codes and scales, without the padding of the last word and
   * without the codebook). @throws {RangeError} for columns that the format cannot hold.
   */
  rowBytes(columns: number): number;
  /**
   * The file's bytes of `rows` whole rows as planes: a reordering without loss. The bytes are GGUF blocks, or for own
   * formats the planes codes, scales, codebook one after the other. `memory`, where it is given, is what the planes may lie in.
   *
   * @throws {RangeError} for an impossible shape. @throws {TypeError} when the number of bytes does not fit it.
   */
  unpack(bytes: Uint8Array, rows: number, columns: number, memory?: PieceMemory): PackedTensor;
  /**
   * As `unpack`, without a copy: the planes lie in the memory of `bytes`, the whole of a buffer. Undefined where they would not; absent
   * where they never do.
   */
  adopt?(
    bytes: Uint8Array<ArrayBuffer>,
    rows: number,
    columns: number,
  ): PackedTensor | undefined;
  /** The inverse of `unpack`. @throws {TypeError} for a tensor of another layout or with planes of the wrong length. */
  pack(t: PackedTensor): Uint8Array<ArrayBuffer>;
}
