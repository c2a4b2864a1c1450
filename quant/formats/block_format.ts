/**
 * GGUF formats made of blocks: what they share around the code that turns one block into words of the planes and back.
 *
 * @module
 */

import type { Format } from "./format.ts";
import type { Layout, PackedTensor } from "../layouts/layout.ts";
import { checkShape, emptyPacked, halves, planeBytes } from "../layouts/planes.ts";
import { checkLayout } from "./plane_format.ts";

/** The planes of a tensor in every width that block code may want; all are views of the same memory. */
export interface BlockPlanes {
  /** The codes' bytes. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** The codes' words. */
  readonly codeWords: Uint32Array<ArrayBuffer>;
  /** The scales' 16-bit halves. */
  readonly scales: Uint16Array<ArrayBuffer>;
  /** The scales' bytes. */
  readonly scaleBytes: Uint8Array<ArrayBuffer>;
  /** Of the tensor. */
  readonly columns: number;
}

/** One GGUF format: its block's size and the two ways. */
export interface BlockCodec {
  /** As llama.cpp spells it. */
  readonly name: string;
  /** The type's number in a file. */
  readonly type: number;
  /** What it becomes. */
  readonly layout: Layout;
  /** Elements of a block. */
  readonly elements: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Moves block `block` of the tensor, whose bytes start at `at`, into the planes. */
  unpack(file: DataView, at: number, planes: BlockPlanes, block: number): void;
  /** The inverse. */
  pack(file: DataView, at: number, planes: BlockPlanes, block: number): void;
}

/** A format of the table from a block's code. */
export function formatOfBlocks(codec: BlockCodec): Format {
  const { name, type, layout, elements, bytes: blockBytes } = codec;
  const rowBytes = (columns: number): number => {
    checkShape(layout, 1, columns);
    if (columns % elements !== 0) {
      throw new RangeError(
        `Cannot lay out ${columns} columns as ${name}: expected a multiple of ${elements}`,
      );
    }
    return columns / elements * blockBytes;
  };
  return {
    name,
    layout,
    gguf: { type, blockElements: elements, blockBytes },
    rowBytes,
    unpack(bytes, rows, columns, memory): PackedTensor {
      checkShape(layout, rows, columns);
      const length = rows * rowBytes(columns);
      if (bytes.length !== length) {
        throw new TypeError(
          `Cannot unpack ${rows} x ${columns} of ${name}: ${bytes.length} bytes, expected ${length}`,
        );
      }
      const t = emptyPacked(layout, rows, columns, memory);
      const planes = planesOf(t);
      const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const blocks = rows * columns / elements;
      for (let block = 0; block < blocks; block++) {
        codec.unpack(file, block * blockBytes, planes, block);
      }
      return t;
    },
    pack(t): Uint8Array<ArrayBuffer> {
      checkLayout(name, layout, t);
      const bytes = new Uint8Array(t.rows * rowBytes(t.columns));
      const planes = planesOf(t);
      const file = new DataView(bytes.buffer);
      const blocks = t.rows * t.columns / elements;
      for (let block = 0; block < blocks; block++) {
        codec.pack(file, block * blockBytes, planes, block);
      }
      return bytes;
    },
  };
}

function planesOf(t: PackedTensor): BlockPlanes {
  return {
    codes: planeBytes(t.codes),
    codeWords: t.codes,
    scales: halves(t.scales),
    scaleBytes: planeBytes(t.scales),
    columns: t.columns,
  };
}
