/**
 * Rounding to IEEE binary16 with f64 arithmetic, for engines without `Float16Array` (Node before 24, older browsers).
 *
 * @module
 */

const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);

/** From here on, f64 numbers are 1 apart, so adding and subtracting this rounds to an integer, ties to even. */
const ONE_APART = 2 ** 52;
const LEAST_EXPONENT = -14;
/** Number of binary16 steps per unit at an exponent, indexed by `exponent - LEAST_EXPONENT`. */
const steps = Float64Array.from({ length: 30 }, (_, i) => 2 ** (10 - LEAST_EXPONENT - i));

/**
 * The nearest binary16 bit pattern of an f64, rounded as by `Float16Array`: ties to even, infinity from 65520 on, NaN stays NaN.
 */
export function float16Bits(value: number): number {
  const size = Math.abs(value);
  double[0] = value;
  const high = doubleWords[1]; // every engine's memory is little-endian today
  const sign = (high >>> 16) & 0x8000;
  if (!(size < 65520)) return size === size ? sign | 0x7c00 : 0x7e00;
  const exponent = Math.max(0, ((high >>> 20) & 0x7ff) - 1023 - LEAST_EXPONENT);
  // Includes the leading bit, which increments the exponent, as does a carry.
  const units = size * steps[exponent] + ONE_APART - ONE_APART;
  return sign | ((exponent << 10) + units);
}

/** The value of a binary16 bit pattern. */
export function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return exponent === 0
    ? sign * mantissa * 2 ** -24
    : sign * (1024 + mantissa) * 2 ** (exponent - 25);
}
