/**
 * The values of 4-bit codes that are not evenly spaced.
 *
 * @module
 */

/**
 * The name of a table of 16 values.
 *
 * - `"iq4_nl"`: llama.cpp's `kvalues_iq4nl` (ggml/src/ggml-common.h), integers from -127 to 113.
 * - `"nf4"`: quantiles of a normal distribution (QLoRA, arXiv 2305.14314, appendix E).
 * - `"fp4"`: bitsandbytes' 4-bit float (sign, two bits of exponent, one of mantissa), divided by its largest value.
 * - `"mxfp4"`: the E2M1 of the OCP Microscaling formats, 0 to 6 with a sign.
 */
export type CodeTable = "iq4_nl" | "nf4" | "fp4" | "mxfp4";

/** The f32 values, indexed by code. */
export const CODE_TABLES: Readonly<Record<CodeTable, Float32Array<ArrayBuffer>>> = {
  iq4_nl: Float32Array.of(
    ...[-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113],
  ),
  nf4: Float32Array.of(
    -1,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1,
  ),
  fp4: withSigns([0, 0.0625, 8, 12, 4, 6, 2, 3].map((value) => value / 12)),
  mxfp4: withSigns([0, 0.5, 1, 1.5, 2, 3, 4, 6]),
};

function withSigns(magnitudes: readonly number[]): Float32Array<ArrayBuffer> {
  // 0 - x, so that both zeros are positive.
  return Float32Array.of(...magnitudes, ...magnitudes.map((value) => 0 - value));
}
