/**
 * One offset and one stored value: how they join, and what rounding does.
 *
 * @module
 */

import type { FloatCodec } from "../layouts/float_codecs.ts";

/** How an offset joins its base: `base + offset` or `base * (1 + offset)`. */
export type OffsetForm = "absolute" | "relative";

/**
 * What happens to a tuned number that its stored type does not reach: the base stays (`"keep"`), the largest number of the type is taken
 * (`"clamp"`), or it is an error (`"refuse"`). It is counted whichever.
 */
export type Beyond = "keep" | "clamp" | "refuse";

/** What folding did to the stored values whose offset is not 0. */
export interface FoldTally {
  /** Bits stayed: rounding swallowed the offset, or the type does not reach. */
  swallowed: number;
  /** Bits changed. */
  changed: number;
  /** Of either, those that the type does not reach; absent if none. */
  exceeded?: number;
}

/** Joins offsets and stored values, and counts what rounding did to them. */
export interface OffsetFold {
  /**
   * The bits of `base` with an offset folded in, or `bits` themselves where rounding swallows it or it would leave the
   * range of the type. @throws {RangeError} for an offset that is not finite.
   */
  apply(bits: number, offset: number): number;
  /** Over all calls of `apply`. */
  readonly counts: FoldTally;
}

/** Folds offsets into values of a type, given as bits. */
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

/** The largest finite number of a type of 16 or 32 bits: the bits below those of infinity. */
function largestOf(toNumber: FloatCodec["toNumber"], toBits: FloatCodec["toBits"]): number {
  return toNumber(toBits(Infinity) - 1);
}

/** Adds what one fold did to a sum. */
export function addTally(
  sum: FoldTally,
  { swallowed, changed, exceeded }: Readonly<FoldTally>,
): void {
  sum.swallowed += swallowed;
  sum.changed += changed;
  if (exceeded) sum.exceeded = (sum.exceeded ?? 0) + exceeded;
}

/**
 * Refuses numbers beyond their type, where that is wanted.
 *
 * @param what whose numbers they are, such as the name of a tensor.
 * @throws {RangeError} that says how many.
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
