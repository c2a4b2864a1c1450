/**
 * GGUF's ternary formats: blocks of 256 elements -1, 0 and 1, multiplied by an f16 scale, kept as 2-bit codes in memory (ggml/src/ggml-quants.c in
 * ggml-org/llama.cpp).
 *
 * @module
 */

import { formatOfBlocks } from "./block_format.ts";
import type { Format } from "./format.ts";
import type { ScalarLayout } from "../layouts/layout.ts";
import { readCodes, writeCodes } from "../layouts/scalar_codes.ts";
import { movePairs } from "../layouts/super_planes.ts";

const TERNARY: ScalarLayout = {
  kind: "scalar",
  bits: 2,
  center: 1,
  second: "none",
  group: 256,
  levels: 3,
};

/** TQ1_0 has five values per byte, in base 3; TQ2_0 has two bits per value. */
export const GGUF_TERNARY: readonly Format[] = [
  formatOfBlocks({
    name: "TQ1_0",
    type: 34,
    layout: TERNARY,
    elements: 256,
    bytes: 54,
    unpack(file, at, { codes, scales }, block) {
      scales[block] = file.getUint16(at + 52, true);
      for (const [from, bytes, first, trits] of BASE_3) {
        for (let j = 0; j < bytes; j++) {
          let byte = file.getUint8(at + from + j);
          for (let n = 0; n < trits; n++) {
            // The byte is a fraction of 256: multiplying it by 3 carries out its next digit in base 3.
            byte *= 3;
            values[first + n * bytes + j] = byte >> 8;
            byte &= 255;
          }
        }
      }
      writeCodes(values, 2, 8, codes, block * 64);
    },
    pack(file, at, { codes, scales }, block) {
      file.setUint16(at + 52, scales[block], true);
      readCodes(codes, block * 64, 2, 8, values);
      const beyond = values.indexOf(3);
      if (beyond >= 0) {
        throw new RangeError(
          `Cannot pack code 3 at element ${block * 256 + beyond} as TQ1_0: its codes are 0, 1, 2`,
        );
      }
      for (const [from, bytes, first, trits] of BASE_3) {
        for (let j = 0; j < bytes; j++) {
          let number = 0;
          for (let n = 0; n < 5; n++) {
            number = number * 3 + (n < trits ? values[first + n * bytes + j] : 0);
          }
          // The smallest byte with these digits.
          file.setUint8(at + from + j, Math.ceil(number * 256 / 243));
        }
      }
    },
  }),
  formatOfBlocks({
    name: "TQ2_0",
    type: 35,
    layout: TERNARY,
    elements: 256,
    bytes: 66,
    unpack(file, at, { codeWords: words, scales }, block) {
      scales[block] = file.getUint16(at + 64, true);
      movePairs(file, at, words, block * 16, 2, false);
      movePairs(file, at + 32, words, block * 16 + 8, 2, false);
    },
    pack(file, at, { codeWords: words, scales }, block) {
      file.setUint16(at + 64, scales[block], true);
      movePairs(file, at, words, block * 16, 2, true);
      movePairs(file, at + 32, words, block * 16 + 8, 2, true);
    },
  }),
];

/** Runs of bytes in TQ1_0: start, number of bytes, first element, digits per byte. */
const BASE_3 = [[0, 32, 0, 5], [32, 16, 160, 5], [48, 4, 240, 4]] as const;

const values = new Uint8Array(256);
