/**
 * Conversion of 16-bit floats, IEEE binary16 and bfloat16. Rounding is to nearest, ties to even.
 *
 * @module
 */

import { float16Bits, float16Value } from "./float16_bits.ts";

const native = typeof Float16Array === "function";
const oneHalf = native ? new Float16Array(1) : new Float32Array(1);
const oneHalfBits = new Uint16Array(oneHalf.buffer);
const oneFloat = new Float32Array(1);
const oneFloatBits = new Uint32Array(oneFloat.buffer);

// Every binary16 value by its bits: a lookup is faster than a conversion in the inner loops of the decoders.
const float16Table: Float32Array<ArrayBuffer> = new Float32Array(
  native
    ? new Float16Array(Uint16Array.from({ length: 65536 }, (_, bits) => bits).buffer)
    : Array.from({ length: 65536 }, (_, bits) => float16Value(bits)),
);

/**
 * The value of an IEEE binary16 bit pattern; only the low 16 bits of `bits` are read.
 *
 * @example One and a half
 * ```ts
 * import { float16ToNumber, numberToFloat16 } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(float16ToNumber(0x3e00), 1.5);
 * assertEquals(numberToFloat16(1.5), 0x3e00);
 * ```
 */
export function float16ToNumber(bits: number): number {
  return float16Table[bits & 0xffff];
}

/**
 * The bit pattern of the nearest binary16. Ties go to even, values from 65520 upwards become infinity, and NaN stays
 * NaN.
 *
 * @example One and a half
 * ```ts
 * import { numberToFloat16 } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(numberToFloat16(1.5), 0x3e00);
 * ```
 */
export function numberToFloat16(value: number): number {
  if (!native) return float16Bits(value);
  oneHalf[0] = value;
  return oneHalfBits[0];
}

/** The nearest value of binary16. Uses `Math.f16round` if the runtime has it. */
export const roundToFloat16: (value: number) => number = Math.f16round ??
  ((value) => float16ToNumber(float16Bits(value)));

/**
 * The value of a bfloat16 bit pattern; only the low 16 bits of `bits` are read.
 *
 * @example One and a half
 * ```ts
 * import { bfloat16ToNumber } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bfloat16ToNumber(0x3fc0), 1.5);
 * ```
 */
export function bfloat16ToNumber(bits: number): number {
  oneFloatBits[0] = bits << 16;
  return oneFloat[0];
}

/**
 * The bit pattern of the nearest bfloat16, after rounding `value` to f32. Ties go to even, and NaN stays NaN.
 *
 * @example One and a half
 * ```ts
 * import { numberToBfloat16 } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(numberToBfloat16(1.5), 0x3fc0);
 * ```
 */
export function numberToBfloat16(value: number): number {
  oneFloat[0] = value;
  const bits = oneFloatBits[0];
  // Rounding up a NaN's payload could carry into infinity.
  if (value !== value) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** {@linkcode float16ToNumber} of each element. */
export function float16ArrayToNumbers(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = float16Table[bits[i]];
  return values;
}

/** {@linkcode numberToFloat16} of each element. */
export function numbersToFloat16Array(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  return native
    ? new Uint16Array(new Float16Array(values).buffer)
    : Uint16Array.from(values, float16Bits);
}

/** {@linkcode bfloat16ToNumber} of each element. */
export function bfloat16ArrayToNumbers(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return new Float32Array(words.buffer);
}

/** {@linkcode numberToBfloat16} of each element. */
export function numbersToBfloat16Array(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(values, numberToBfloat16);
}
