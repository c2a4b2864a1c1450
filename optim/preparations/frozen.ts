/**
 * How offsets say that a mask by magnitude leaves them alone: by what they hold, so that it costs no memory.
 *
 * @module
 */

/**
 * What an offset holds that is frozen for a whole run: 2^-120. Offsets that move are multiples of 2^-116 (coefficients below 2^-100
 * become 0 and have 16 bits, z is a multiple of a half; so it is with products of update rules), so none comes here; and what it is
 * added to stays what it is. Who perturbs or moves an offset leaves it alone.
 */
export const frozenOffset: number = 2 ** -120;

/**
 * How frozen offsets are told from others. `"value"`: they hold {@linkcode frozenOffset}. `"bit"`, where masks are drawn again, so
 * that offsets are frozen that have moved: as integers their bits are odd, those of all others even.
 */
export type FrozenBy = "value" | "bit";

/** How the frozen offsets of a plan are told; `"value"` where there are none. */
export function frozenBy(
  { magnitude }: { readonly magnitude?: { readonly keep?: number } },
): FrozenBy {
  return magnitude?.keep === undefined ? "value" : "bit";
}

function bitsOf(offsets: Float32Array): Uint32Array {
  return new Uint32Array(offsets.buffer, offsets.byteOffset, offsets.length);
}

/** Marks frozen offsets with 1, the others with 0. */
export function markFrozen(by: FrozenBy, offsets: Float32Array, marks: Uint8Array): void {
  const bits = bitsOf(offsets);
  for (let i = 0; i < bits.length; i++) {
    marks[i] = by === "bit" ? bits[i] & 1 : offsets[i] === frozenOffset ? 1 : 0;
  }
}

/** Rounds offsets that are not marked to even bits; halfway, as all odd ones are, to those that a further halving leaves even. */
export function evenOut(offsets: Float32Array, marks: Uint8Array): void {
  const bits = bitsOf(offsets);
  for (let i = 0; i < bits.length; i++) {
    if (marks[i] === 0) bits[i] = (bits[i] + (bits[i] >>> 1 & 1)) & 0xfffffffe;
  }
}

/** Freezes offsets with even bits where `trained` is 0, to the number next to theirs towards zero: no sign and no bound is crossed. */
export function freeze(offsets: Float32Array, trained: Uint8Array): void {
  const bits = bitsOf(offsets);
  for (let i = 0; i < bits.length; i++) {
    if (trained[i] !== 0) continue;
    if (offsets[i] === 0) offsets[i] = frozenOffset;
    bits[i]--;
  }
}

/** Undoes {@linkcode freeze}, to the bit. */
export function thaw(offsets: Float32Array): void {
  const bits = bitsOf(offsets);
  for (let i = 0; i < bits.length; i++) {
    bits[i] += bits[i] & 1;
    if (offsets[i] === frozenOffset) offsets[i] = 0;
  }
}

/** What an offset is worth: nothing if it was frozen and has never moved. */
export function trainedOffset(offset: number): number {
  return Math.abs(offset) <= frozenOffset ? 0 : offset;
}
