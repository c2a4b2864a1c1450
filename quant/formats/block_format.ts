/**
 * The common part of GGUF formats, which consist of blocks. Each format only converts one block to the planes and back.
 *
 * @module
 */

import type { Format } from "./format.ts";
import type { Layout, PackedTensor } from "../layouts/layout.ts";
import { checkShape, emptyPacked, halves, planeBytes } from "../layouts/planes.ts";
import { checkLayout } from "./plane_format.ts";

/** The planes of a tensor in all the widths that codecs use. */
export interface BlockPlanes {
  /** Bytes of the codes. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** Words of the codes, in the same memory. */
  readonly codeWords: Uint32Array<ArrayBuffer>;
  /** 16-bit halves of the scales. */
  readonly scales: Uint16Array<ArrayBuffer>;
  /** Bytes of the scales, in the same memory. */
  readonly scaleBytes: Uint8Array<ArrayBuffer>;
  /** Columns of the tensor. */
  readonly columns: number;
}

/** One GGUF format: the size of its blocks and their conversion in both directions. */
export interface BlockCodec {
  /** Name as spelled by llama.cpp. */
  readonly name: string;
  /** Number of the type in a file. */
  readonly type: number;
  /** Layout in memory. */
  readonly layout: Layout;
  /** Elements per block. */
  readonly elements: number;
  /** Bytes per block. */
  readonly bytes: number;
  /** Writes block `block` of the tensor, whose bytes start at `at`, into the planes. */
  unpack(file: DataView, at: number, planes: BlockPlanes, block: number): void;
  /** The inverse of `unpack`. */
  pack(file: DataView, at: number, planes: BlockPlanes, block: number): void;
}

/** The format with the given codec. */
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
