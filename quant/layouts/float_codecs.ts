/**
 * Conversion between stored bit patterns and numbers, by type.
 *
 * @module
 */

import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "./float16.ts";
import type { DenseType } from "./layout.ts";

/** Converts bits to a number and back, rounding to nearest. */
export interface FloatCodec {
  /** The value of a bit pattern. */
  toNumber(bits: number): number;
  /** The nearest bit pattern. */
  toBits(value: number): number;
}

const oneFloat = new Float32Array(1);
const oneFloatBits = new Uint32Array(oneFloat.buffer);

/** The codec of each type. */
export const FLOAT_CODECS: Readonly<Record<DenseType, FloatCodec>> = {
  f32: {
    toNumber: (bits) => {
      oneFloatBits[0] = bits;
      return oneFloat[0];
    },
    toBits: (value) => {
      oneFloat[0] = value;
      return oneFloatBits[0];
    },
  },
  f16: { toNumber: float16ToNumber, toBits: numberToFloat16 },
  bf16: { toNumber: bfloat16ToNumber, toBits: numberToBfloat16 },
};
