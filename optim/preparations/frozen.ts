/**
 * How offsets that a mask by magnitude excludes are marked: by their value, so that the mask takes no memory.
 *
 * @module
 */

/**
 * The value of an offset that is frozen for a whole run: 2^-120. Offsets that move are multiples of 2^-116 (coefficients below 2^-100 become 0
 * and have 16 bits, and z is a multiple of one half; the same holds for products in update rules), so they never reach this value. Adding it to
 * a base value does not change the base. Code that perturbs or moves offsets must skip it.
 */
export const frozenOffset: number = 2 ** -120;

/**
 * How frozen offsets are recognised. `"value"`: by the value {@linkcode frozenOffset}. `"bit"`, if masks are redrawn, so that offsets may be
 * frozen after they have moved: the integers that represent them are odd, and those of all others even.
 */
export type FrozenBy = "value" | "bit";

/** How the frozen offsets of a plan are recognised; `"value"` if there are none. */
export function frozenBy(
  { magnitude }: { readonly magnitude?: { readonly keep?: number } },
): FrozenBy {
  return magnitude?.keep === undefined ? "value" : "bit";
}

function bitsOf(offsets: Float32Array): Uint32Array {
  return new Uint32Array(offsets.buffer, offsets.byteOffset, offsets.length);
}

/** Sets the marks of frozen offsets to 1, those of others to 0. */
export function markFrozen(by: FrozenBy, offsets: Float32Array, marks: Uint8Array): void {
  const bits = bitsOf(offsets);
  for (let i = 0; i < bits.length; i++) {
    marks[i] = by === "bit" ? bits[i] & 1 : offsets[i] === frozenOffset ? 1 : 0;
  }
}

/** Rounds offsets that are not marked to even bits. All odd ones are halfway between; they are rounded to numbers that stay even if halved. */
export function evenOut(offsets: Float32Array, marks: Uint8Array): void {
  const bits = bitsOf(offsets);
  for (let i = 0; i < bits.length; i++) {
    if (marks[i] === 0) bits[i] = (bits[i] + (bits[i] >>> 1 & 1)) & 0xfffffffe;
  }
}

/** Freezes offsets with even bits where `trained` is 0, by replacing them with the next number towards zero. This crosses no sign and no limit. */
export function freeze(offsets: Float32Array, trained: Uint8Array): void {
  const bits = bitsOf(offsets);
  for (let i = 0; i < bits.length; i++) {
    if (trained[i] !== 0) continue;
    if (offsets[i] === 0) offsets[i] = frozenOffset;
    bits[i]--;
  }
}

/** The inverse of {@linkcode freeze}, exact to the bit. */
export function thaw(offsets: Float32Array): void {
  const bits = bitsOf(offsets);
  for (let i = 0; i < bits.length; i++) {
    bits[i] += bits[i] & 1;
    if (offsets[i] === frozenOffset) offsets[i] = 0;
  }
}

/** The value of an offset for evaluation: 0 if it was frozen and has never moved. */
export function trainedOffset(offset: number): number {
  return Math.abs(offset) <= frozenOffset ? 0 : offset;
}
