/**
 * Applies one offset to one stored value and records the effect of rounding.
 *
 * @module
 */

import type { FloatCodec } from "../layouts/float_codecs.ts";

/** How an offset is applied to its base: `base + offset` or `base * (1 + offset)`. */
export type OffsetForm = "absolute" | "relative";

/**
 * What to do with a tuned number outside the range of its stored type: keep the base (`"keep"`), store the largest
 * number of the type (`"clamp"`), or throw (`"refuse"`). It is counted in every case.
 */
export type Beyond = "keep" | "clamp" | "refuse";

/** What folding did to the stored values with a non-zero offset. */
export interface FoldTally {
  /** Values whose bits did not change: the offset was lost to rounding, or the result was outside the range of the type. */
  swallowed: number;
  /** Values whose bits changed. */
  changed: number;
  /** Number of the values above that were outside the range of the type. Absent if there are none. */
  exceeded?: number;
}

/** Applies offsets to stored values and counts the effects of rounding. */
export interface OffsetFold {
  /**
   * The bits of `base` with an offset folded in. Returns `bits` unchanged if the offset is lost to rounding, or if the
   * result is outside the range of the type and the base is kept.
   *
   * @throws {RangeError} for an offset that is not finite.
   */
  apply(bits: number, offset: number): number;
  /** Totals over all calls of `apply`. */
  readonly counts: FoldTally;
}

/** Makes a fold for values of one type, given as bits. */
export function offsetFold(
  form: OffsetForm,
  { toNumber, toBits }: FloatCodec,
  beyond: Beyond = "keep",
): OffsetFold {
  const counts: FoldTally = { swallowed: 0, changed: 0 };
  let largest: number | undefined;
  return {
    counts,
    apply(bits, offset): number {
      if (offset === 0) return bits;
      if (!Number.isFinite(offset)) throw new RangeError(`Cannot fold an offset of ${offset}`);
      const base = toNumber(bits);
      const wanted = form === "absolute" ? base + offset : base * (1 + offset);
      let folded = toBits(wanted);
      if (!Number.isFinite(toNumber(folded))) {
        counts.exceeded = (counts.exceeded ?? 0) + 1;
        largest ??= largestOf(toNumber, toBits);
        folded = beyond === "clamp" ? toBits(Math.sign(wanted) * largest) : bits;
      }
      if (folded === bits) {
        counts.swallowed++;
        return bits;
      }
      counts.changed++;
      return folded;
    },
  };
}

/** The largest finite number of a 16-bit or 32-bit type, whose bits precede those of infinity. */
function largestOf(toNumber: FloatCodec["toNumber"], toBits: FloatCodec["toBits"]): number {
  return toNumber(toBits(Infinity) - 1);
}

/** Adds the counts of one fold to a total. */
export function addTally(
  sum: FoldTally,
  { swallowed, changed, exceeded }: Readonly<FoldTally>,
): void {
  sum.swallowed += swallowed;
  sum.changed += changed;
  if (exceeded) sum.exceeded = (sum.exceeded ?? 0) + exceeded;
}

/**
 * Throws if any number was outside the range of its type and `beyond` is `"refuse"`.
 *
 * @param what Owner of the numbers, such as the name of a tensor.
 * @throws {RangeError} with the count.
 */
export function assertWithin(what: string, counts: Readonly<FoldTally>, beyond: Beyond): void {
  if (beyond !== "refuse" || !counts.exceeded) return;
  const all = counts.changed + counts.swallowed;
  throw new RangeError(
    `Cannot fold the tuned values of ${what}: ${counts.exceeded.toLocaleString("en")} of ${
      all.toLocaleString("en")
    } are beyond the range of their stored type (65504 for f16). Training has diverged: use an earlier step, ` +
      `or write the largest values that fit (--clamp, or beyond: "clamp")`,
  );
}
