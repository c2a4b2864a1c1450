/**
 * One offset and one stored value: how they join, and what rounding does.
 *
 * @module
 */

import type { FloatCodec } from "./float_codecs.ts";

/** How an offset joins its base: `base + offset` or `base * (1 + offset)`. */
export type OffsetForm = "absolute" | "relative";

/** Joins offsets and stored values, and counts what rounding did to them. */
export interface OffsetFold {
  /**
   * The bits of `base` with an offset folded in, or `bits` themselves where rounding swallows it or it would leave the
   * range of the type. @throws {RangeError} for an offset that is not finite.
   */
  apply(bits: number, offset: number): number;
  /** Over all calls of `apply`. */
  readonly counts: { swallowed: number; changed: number };
}

/** Folds offsets into values of a type, given as bits. */
export function offsetFold(form: OffsetForm, { toNumber, toBits }: FloatCodec): OffsetFold {
  const counts = { swallowed: 0, changed: 0 };
  return {
    counts,
    apply(bits, offset): number {
      if (offset === 0) return bits;
      if (!Number.isFinite(offset)) throw new RangeError(`Cannot fold an offset of ${offset}`);
      const base = toNumber(bits);
      const folded = toBits(form === "absolute" ? base + offset : base * (1 + offset));
      if (folded === bits || !Number.isFinite(toNumber(folded))) {
        counts.swallowed++;
        return bits;
      }
      counts.changed++;
      return folded;
    },
  };
}
