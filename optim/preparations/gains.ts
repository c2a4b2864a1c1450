/**
 * How large z is in each tensor: a power of two, found before the first step from how steep the loss is along it.
 *
 * @module
 */
import { integerWithin, notNegative, positive } from "../check.ts";
import { assertOptions } from "../options.ts";
import { largestGain } from "../directions/noise.ts";
import type { PreparationKind } from "./preparation.ts";

/** Directions that are larger where the loss is steeper. */
export interface Gains {
  /** The size of z in a tensor is the length of its gradient to this power, 0 to 1; 0.5 by default. */
  readonly power?: number;
  /** Directions looked along in each tensor before the first step, 1 to 16; 2 by default. */
  readonly queries?: number;
  /** How far these look, in units of the offset; 0.02 by default. */
  readonly epsilon?: number;
  /** Batches whose exact gradient says how steep the loss is, in place of these looks, 1 to 1024; none by default. */
  readonly gradients?: number | undefined;
}

/** Gains with nothing left open. */
export type CompleteGains = Required<Omit<Gains, "gradients">> & Pick<Gains, "gradients">;

/**
 * Gains with nothing left open.
 *
 * @throws RangeError for an argument out of range.
 */
export function completeGains(options: Gains): CompleteGains {
  assertOptions("make gains", options, {
    power: "any",
    queries: "any",
    epsilon: "any",
    gradients: "any",
  });
  const { power = 0.5, queries = 2, epsilon = 0.02, gradients } = options;
  notNegative("gains", "power", power);
  if (power > 1) throw new RangeError(`Cannot make gains: power must be at most 1, not ${power}`);
  return {
    power,
    queries: integerWithin("gains", "queries", queries, 1, 16),
    epsilon: positive("gains", "epsilon", epsilon),
    // Absent where there are none, so that such ledgers stay what they were.
    ...(gradients === undefined
      ? {}
      : { gradients: integerWithin("gains", "gradients", gradients, 1, 1024) }),
  };
}

/** The weakest tensor counts as this share of the mean slope at least, so that none stands still for one chance look. */
const leastShare = 2 ** -8;

/**
 * The gains of tensors: z is multiplied by 2 to that power, at most {@linkcode largestGain} either way.
 *
 * A step of length r along a random direction lowers a loss with slope g and curvature H by `r |g|` at first and raises it by
 * `r^2 tr(H) / 2`. Where tensors differ in `|g|^2 / tr(H)`, what all can gain together grows with the share of z that lies in steep
 * ones. Curvature differs less than slopes do and is harder to see, so that slopes alone decide. A power below 1 is for slopes
 * that are known from a few looks, and that change. The sum of squares of z over all offsets stays what it is without gains, up to rounding
 * to powers of two, which keeps products with coefficients exact.
 *
 * Source: this library; the balance is that of importance sampling in coordinate descent.
 *
 * @param squares the mean square of the derivatives along directions in each tensor alone, or the square of the gradient's norm there, which is what
 * that is an estimate of.
 * @param counts the offsets of each.
 *
 * @example Four times as steep, twice as large
 * ```ts
 * import { gainsOf } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const gains = gainsOf({ power: 0.5 }, [16, 1], [1, 1000]);
 * assertEquals(gains, [1, 0]);
 * ```
 */
export function gainsOf(
  gains: Gains,
  squares: readonly number[],
  counts: readonly number[],
): number[] {
  const { power } = completeGains(gains);
  if (
    squares.length !== counts.length || !squares.every((square) => square >= 0 && square < Infinity)
  ) {
    throw new TypeError(
      `Cannot find the gains of ${counts.length} tensors from slopes ${JSON.stringify(squares)}`,
    );
  }
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const mean = sum(squares) / squares.length;
  if (!(mean > 0)) return squares.map(() => 0);
  const sizes = squares.map((square) => Math.max(square / mean, leastShare) ** (power / 2));
  const all = sum(sizes.map((size, i) => size * size * counts[i])) / sum(counts);
  return sizes.map((size) =>
    Math.max(-largestGain, Math.min(largestGain, Math.round(Math.log2(size / Math.sqrt(all)))))
  );
}

/** Gains. */
export const gains: PreparationKind<Gains, CompleteGains> = {
  name: "gains",
  complete: completeGains,
  prepare: (options) => ({
    name: "gains",
    looks: "slopes",
    fact: "gain",
    slopes: {
      ...{ queries: options.queries, epsilon: options.epsilon },
      ...(options.gradients === undefined ? {} : { gradients: options.gradients }),
    },
    find: (squares, counts) => gainsOf(options, squares, counts),
  }),
};
