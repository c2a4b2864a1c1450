/**
 * Offsets: how a stored f32 offset changes the base value that it tunes, and how it moves.
 *
 * @module
 */

/** `"absolute"`: `base + offset`; `"relative"`: `base * (1 + offset)`. */
export type OffsetForm = "absolute" | "relative";

/** All forms. */
export const offsetForms: readonly OffsetForm[] = ["absolute", "relative"];

/** `"block"`: one offset per quantisation block. `"row"`: one for all blocks of a row. */
export type OffsetSpan = "block" | "row";

/** All spans that an optimiser can prefer. */
export const offsetSpans: readonly OffsetSpan[] = ["block", "row"];

/** `"keep-sign"`: an offset can bring its scale to zero but not beyond. `"none"`: no restriction. */
export type Projection = "none" | "keep-sign";

/** All projections. */
export const projections: readonly Projection[] = ["none", "keep-sign"];

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/**
 * Rounds a coefficient to 16 significant bits (ties away from zero), so that its product with any z is exact in f32. Magnitudes that would be
 * below 2^-100 become 0. It uses only integer operations, so it gives the same result on host and device.
 *
 * @example The low 8 bits of a rounded coefficient are zero
 * ```ts
 * import { roundCoefficient } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(roundCoefficient(1 + 2 ** -15), 1 + 2 ** -15);
 * assertEquals(roundCoefficient(1 + 2 ** -16), 1 + 2 ** -15);
 * assertEquals(roundCoefficient(1 + 2 ** -17), 1);
 * assertEquals(roundCoefficient(2 ** -120), 0);
 * ```
 */
export function roundCoefficient(value: number): number {
  floatView[0] = value;
  const bits = ((bitsView[0] + 0x80) & 0xffffff00) >>> 0;
  bitsView[0] = (bits & 0x7f800000) < 27 << 23 ? 0 : bits;
  return floatView[0];
}

/** {@linkcode roundCoefficient} as a WGSL function `round_coefficient(value: f32) -> f32`. */
export const roundCoefficientWgsl: string = `fn round_coefficient(value: f32) -> f32 {
  let bits = (bitcast<u32>(value) + 0x80u) & 0xffffff00u;
  return bitcast<f32>(select(bits, 0u, (bits & 0x7f800000u) < (27u << 23u)));
}
`;

/** The tuned value: `base` changed by `offset`, with each operation rounded to f32. */
export function applyOffset(form: OffsetForm, base: number, offset: number): number {
  return form === "absolute"
    ? Math.fround(base + offset)
    : Math.fround(base * Math.fround(1 + offset));
}

/**
 * The projection `"keep-sign"`: the nearest offset for which the tuned value is zero or has the sign of its base (a base of zero counts as
 * positive). This is QZO's `max(scale, 0)` (arXiv 2505.13430), for scales of either sign. It uses comparisons instead of `min` and `max`, which
 * may return either zero.
 *
 * @example Offsets stop at zero from either side
 * ```ts
 * import { keepSign } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(keepSign("absolute", 0.5, -0.75), -0.5);
 * assertEquals(keepSign("absolute", -0.5, 0.75), 0.5);
 * assertEquals(keepSign("relative", -0.5, -1.25), -1);
 * ```
 */
export function keepSign(form: OffsetForm, base: number, offset: number): number {
  if (form === "relative") return offset < -1 ? -1 : offset;
  if (base > 0) return offset < -base ? -base : offset;
  if (base < 0) return offset > -base ? -base : offset;
  return offset < 0 ? 0 : offset;
}
