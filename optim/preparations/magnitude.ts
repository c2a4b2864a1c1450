/**
 * Masks by magnitude: only offsets with small, or with large, base values are trained.
 *
 * @module
 */

import { integerWithin } from "../check.ts";
import { assertOptions } from "../options.ts";
import { freeze, frozenOffset, thaw } from "./frozen.ts";
import { applyOffset } from "../offset.ts";
import type { MaskedTensor, PreparationKind } from "./preparation.ts";

export type { MaskedTensor } from "./preparation.ts";

/** Which offsets are trained: those with small or with large base values. All others are frozen, for the whole run or until the next redraw. */
export interface Magnitude {
  /** Fraction of the offsets that are trained, greater than 0 and at most 1, met exactly. */
  readonly density: number;
  /** Which end of the magnitudes is trained. Default `"small"`. */
  readonly take?: "small" | "large" | undefined;
  /** Whether the fraction applies to every tensor separately or to all together. Default `"tensor"`. */
  readonly budget?: "tensor" | "global" | undefined;
  /** Number of steps after which the mask is redrawn by the values that training has reached. Default: never. */
  readonly keep?: number | undefined;
}

/** Both ends of the magnitudes. */
export const magnitudeEnds: readonly ["small", "large"] = ["small", "large"];

/** What a fraction can apply to. */
export const magnitudeBudgets: readonly ["tensor", "global"] = ["tensor", "global"];

/** {@linkcode Magnitude} with defaults filled in. */
export interface CompleteMagnitude {
  /** Fraction of the offsets that are trained. */
  readonly density: number;
  /** Which end of the magnitudes is trained. */
  readonly take: "small" | "large";
  /** What the fraction applies to. */
  readonly budget: "tensor" | "global";
  /** Number of steps between redraws. Absent if never. */
  readonly keep?: number;
}

/**
 * Fills in the defaults of a mask by magnitude.
 *
 * @throws {RangeError} for a value out of range.
 */
export function completeMagnitude(options: Magnitude): CompleteMagnitude {
  assertOptions("make a mask by magnitude", options, {
    density: "any",
    take: "any",
    budget: "any",
    keep: "any",
  });
  const { density, take = "small", budget = "tensor", keep } = options;
  if (!(density > 0 && density <= 1)) {
    throw new RangeError(
      `Cannot make a mask by magnitude: density must be above 0 and at most 1, not ${density}`,
    );
  }
  for (const [value, known] of [[take, magnitudeEnds], [budget, magnitudeBudgets]] as const) {
    if (!(known as readonly string[]).includes(value)) {
      throw new RangeError(
        `Cannot make a mask by magnitude: unknown ${JSON.stringify(value)}; expected one of ${
          known.join(", ")
        }`,
      );
    }
  }
  if (keep === undefined) return { density, take, budget };
  return {
    ...{ density, take, budget },
    keep: integerWithin("a mask by magnitude", "keep", keep, 1, 0xffffffff),
  };
}

/** Orders non-negative numbers by their bits. NaN marks padding. */
class Order {
  readonly #parts: readonly Float32Array[];
  readonly #flip: number;

  constructor(parts: readonly Float32Array[], take: "small" | "large") {
    this.#parts = parts;
    this.#flip = take === "small" ? 0 : 0x7fffffff;
  }

  /** Calls `visit` with the key of every number, its part and its index. */
  each(visit: (key: number, part: number, index: number) => void): void {
    this.#parts.forEach((values, part) => {
      const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
      for (let i = 0; i < bits.length; i++) {
        const size = bits[i] & 0x7fffffff;
        if (size <= 0x7f800000) visit(size ^ this.#flip, part, i);
      }
    });
  }
}

/** Number of values below which sorting is faster than counting by keys. */
const FEW = 4096;

/** The key of the number with a given rank (from 1), and how many numbers with that key are needed to reach the rank. */
interface Ranked {
  readonly key: number;
  readonly equals: number;
}

function rankedByCount(order: Order, density: number): Ranked | undefined {
  const high = new Float64Array(32768);
  let total = 0;
  order.each((key) => {
    high[key >>> 16]++;
    total++;
  });
  let left = Math.round(density * total);
  if (left === 0) return undefined;
  // First the upper 15 bits of its key, then the lower 16.
  let upper = 0;
  while (left > high[upper]) left -= high[upper++];
  const low = new Float64Array(65536);
  order.each((key) => {
    if (key >>> 16 === upper) low[key & 0xffff]++;
  });
  let lower = 0;
  while (left > low[lower]) left -= low[lower++];
  return { key: upper * 65536 + lower, equals: left };
}

function rankedBySorting(order: Order, density: number): Ranked | undefined {
  const keys = new Uint32Array(FEW);
  let total = 0;
  order.each((key) => {
    keys[total++] = key;
  });
  const rank = Math.round(density * total);
  if (rank === 0) return undefined;
  const sorted = keys.subarray(0, total).sort();
  const key = sorted[rank - 1];
  return { key, equals: rank - sorted.indexOf(key) };
}

/** Marks the first `share` of all numbers in `parts` by order. Of equal numbers, the earlier ones are marked. */
function markFirst(
  parts: readonly Float32Array[],
  { density, take }: CompleteMagnitude,
  marks: readonly Uint8Array[],
): void {
  const order = new Order(parts, take);
  const most = parts.reduce((sum, { length }) => sum + length, 0);
  const last = (most <= FEW ? rankedBySorting : rankedByCount)(order, density);
  if (last === undefined) return;
  let left = last.equals;
  order.each((key, part, index) => {
    if (key < last.key || key === last.key && left-- > 0) marks[part][index] = 1;
  });
}

/**
 * The fraction of each tensor, in units of 1/65536, if the largest `density` of all values are kept.
 *
 * @param magnitudes As for {@linkcode magnitudeMask}.
 *
 * @example Three of four large values are in the second tensor
 * ```ts
 * import { magnitudeShares } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const magnitudes = [new Float32Array([1, 2, 3, 9]), new Float32Array([6, 7, 8, 5])];
 * assertEquals(magnitudeShares(0.5, magnitudes), [0.25 * 65536, 0.75 * 65536]);
 * ```
 */
export function magnitudeShares(density: number, magnitudes: readonly Float32Array[]): number[] {
  const masks = magnitudeMask({ density, take: "large", budget: "global" }, magnitudes);
  return masks.map((mask, i) => {
    const kept = mask.reduce((sum, one) => sum + one, 0);
    const all = magnitudes[i].reduce((sum, size) => sum + (Number.isNaN(size) ? 0 : 1), 0);
    return Math.round(65536 * kept / Math.max(1, all));
  });
}

/**
 * The elements that a mask by magnitude keeps, by tensor: 1 for trained, 0 for others.
 *
 * @param magnitudes Values by tensor. Signs are ignored. NaN marks padding, which is neither counted nor trained.
 *
 * @example The smaller half of each tensor, and of both combined
 * ```ts
 * import { magnitudeMask } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const magnitudes = [new Float32Array([1, -4]), new Float32Array([2, 3, 5, NaN, 6])];
 * const each = magnitudeMask({ density: 0.5 }, magnitudes);
 * assertEquals(each.map((mask) => [...mask]), [[1, 0], [1, 1, 0, 0, 0]]);
 * const all = magnitudeMask({ density: 0.5, budget: "global" }, magnitudes);
 * assertEquals(all.map((mask) => [...mask]), [[1, 0], [1, 1, 0, 0, 0]]);
 * ```
 */
export function magnitudeMask(
  magnitude: Magnitude,
  magnitudes: readonly Float32Array[],
): Uint8Array[] {
  const rule = completeMagnitude(magnitude);
  const marks = magnitudes.map((values) => new Uint8Array(values.length));
  if (rule.budget === "global") markFirst(magnitudes, rule, marks);
  else magnitudes.forEach((values, i) => markFirst([values], rule, [marks[i]]));
  return marks;
}

/**
 * Freezes all offsets that a mask excludes; repeating it changes nothing. A mask that is drawn once uses the base values. A mask that is redrawn
 * uses the current tuned values, and unfreezes what the previous mask excluded.
 *
 * @throws {RangeError} when an offset that is excluded for the whole run has already moved.
 *
 * @example Offsets have exchanged a small and a large value
 * ```ts
 * import { drawMask } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const bases = new Float32Array([1, 4]);
 * const offsets = new Float32Array([5, -3.5]);
 * drawMask({ density: 0.5, take: "large", keep: 10 }, [{ name: "w", form: "absolute", bases, offsets }]);
 * assertEquals([offsets[0], offsets[1] > -3.5 && offsets[1] < -3.49], [5, true]);
 * ```
 */
export function drawMask(magnitude: Magnitude, tensors: readonly MaskedTensor[]): void {
  const again = magnitude.keep !== undefined;
  if (again) tensors.forEach(({ offsets }) => thaw(offsets));
  const sizes = tensors.map(({ form, bases, offsets }) =>
    again ? bases.map((base, i) => applyOffset(form, base, offsets[i])) : bases
  );
  const masks = magnitudeMask(magnitude, sizes);
  tensors.forEach(({ name, offsets }, tensor) => {
    if (again) return freeze(offsets, masks[tensor]);
    masks[tensor].forEach((trained, i) => {
      if (trained === 1) return;
      if (offsets[i] !== 0 && offsets[i] !== frozenOffset) {
        throw new RangeError(
          `Cannot freeze offset ${i} of "${name}": its value ${
            offsets[i]
          } was trained without this mask`,
        );
      }
      offsets[i] = frozenOffset;
    });
  });
}

/** The preparation of masks by magnitude. */
export const magnitude: PreparationKind<Magnitude, CompleteMagnitude> = {
  name: "magnitude",
  complete: completeMagnitude,
  prepare: (options) => ({
    name: "magnitude",
    looks: "offsets",
    ...(options.keep === undefined ? {} : { every: options.keep }),
    change: (tensors) => drawMask(options, tensors),
  }),
};
