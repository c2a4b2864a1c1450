/**
 * GGUF formats with blocks of 32 elements: an f16 scale `d`, for Q4_1 an f16 minimum `m`, then the codes
 * (ggml/src/ggml-common.h in ggml-org/llama.cpp). The order of codes in a block is that of the layouts, so only the
 * scales move.
 *
 * @module
 */

import type { Format } from "./format.ts";
import type { PackedTensor, ScalarLayout } from "./layout.ts";
import { checkShape, emptyPacked, halves } from "./planes.ts";
import { checkLayout } from "./plane_format.ts";

/** Q4_0: `d (q - 8)`; Q4_1: `d q + m`; IQ4_NL: `d table[q]`; Q8_0: `d q` with signed q, held as q + 128 with center 128. */
export const GGUF_BLOCK_FORMATS: readonly Format[] = [
  blockFormat("Q4_0", 2, { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 }, 0),
  blockFormat("Q4_1", 3, { kind: "scalar", bits: 4, center: 0, second: "min", group: 32 }, 0),
  blockFormat("IQ4_NL", 20, {
    kind: "scalar",
    bits: 4,
    center: 0,
    second: "none",
    group: 32,
    table: "iq4_nl",
  }, 0),
  // Flipping the top bit of a signed byte adds 128.
  blockFormat(
    "Q8_0",
    8,
    { kind: "scalar", bits: 8, center: 128, second: "none", group: 32 },
    0x8080,
  ),
];

/** A block is `heads` halves of scale and minimum, then the codes, each half of which is stored with `flip` flipped. */
function blockFormat(name: string, type: number, layout: ScalarLayout, flip: number): Format {
  const heads = layout.second === "none" ? 1 : 2;
  const codeHalves = layout.bits * 2;
  const blockHalves = heads + codeHalves;
  const blockBytes = blockHalves * 2;
  const rowBytes = (columns: number): number => {
    checkShape(layout, 1, columns);
    return columns / 32 * blockBytes;
  };
  return {
    name,
    layout,
    gguf: { type, blockElements: 32, blockBytes },
    rowBytes,
    unpack(bytes, rows, columns): PackedTensor {
      checkShape(layout, rows, columns);
      const length = rows * rowBytes(columns);
      if (bytes.length !== length) {
        throw new TypeError(
          `Cannot unpack ${rows} x ${columns} of ${name}: ${bytes.length} bytes, expected ${length}`,
        );
      }
      const t = emptyPacked(layout, rows, columns);
      const from = alignedHalves(bytes);
      const codes = halves(t.codes);
      const scales = halves(t.scales);
      const blocks = rows * columns / 32;
      for (let block = 0; block < blocks; block++) {
        const at = block * blockHalves;
        for (let i = 0; i < heads; i++) scales[block * heads + i] = from[at + i];
        for (let i = 0; i < codeHalves; i++) {
          codes[block * codeHalves + i] = from[at + heads + i] ^ flip;
        }
      }
      return t;
    },
    pack(t): Uint8Array<ArrayBuffer> {
      checkLayout(name, layout, t);
      const blocks = t.rows * t.columns / 32;
      const to = new Uint16Array(blocks * blockHalves);
      const codes = halves(t.codes);
      const scales = halves(t.scales);
      for (let block = 0; block < blocks; block++) {
        const at = block * blockHalves;
        for (let i = 0; i < heads; i++) to[at + i] = scales[block * heads + i];
        for (let i = 0; i < codeHalves; i++) {
          to[at + heads + i] = codes[block * codeHalves + i] ^ flip;
        }
      }
      return new Uint8Array(to.buffer);
    },
  };
}

function alignedHalves(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}
