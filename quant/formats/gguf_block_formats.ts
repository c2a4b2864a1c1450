/**
 * GGUF formats with blocks of 32 elements: an f16 scale `d`, for Q4_1 an f16 minimum `m`, then the codes
 * (ggml/src/ggml-common.h in ggml-org/llama.cpp). The order of codes in a block is that of the layouts, so only the
 * scales move.
 *
 * @module
 */

import { formatOfBlocks } from "./block_format.ts";
import type { Format } from "./format.ts";
import type { ScalarLayout } from "../layouts/layout.ts";

/** Q4_0: `d (q - 8)`; Q4_1: `d q + m`; IQ4_NL: `d table[q]`; Q8_0: `d q` with signed q, kept as q + 128 with center 128. */
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
    0x80808080,
  ),
];

/** A format whose blocks are the f16 scale and minimum, followed by the words of codes, in which the bits of `flip` are inverted. */
function blockFormat(name: string, type: number, layout: ScalarLayout, flip: number): Format {
  const heads = layout.second === "none" ? 1 : 2;
  const { bits } = layout;
  return formatOfBlocks({
    name,
    type,
    layout,
    elements: 32,
    bytes: 2 * heads + 4 * bits,
    unpack(file, at, { codeWords, scales }, block) {
      for (let i = 0; i < heads; i++) scales[block * heads + i] = file.getUint16(at + 2 * i, true);
      const codes = at + 2 * heads;
      for (let i = 0; i < bits; i++) {
        codeWords[block * bits + i] = file.getUint32(codes + 4 * i, true) ^ flip;
      }
    },
    pack(file, at, { codeWords, scales }, block) {
      for (let i = 0; i < heads; i++) file.setUint16(at + 2 * i, scales[block * heads + i], true);
      const codes = at + 2 * heads;
      for (let i = 0; i < bits; i++) {
        file.setUint32(codes + 4 * i, codeWords[block * bits + i] ^ flip, true);
      }
    },
  });
}
