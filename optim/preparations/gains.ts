/**
 * Gains: the magnitude of z in each tensor is a power of two, determined before the first step from the sensitivity of the loss to the tensor.
 *
 * @module
 */
import { integerWithin, notNegative, positive } from "../check.ts";
import { assertOptions } from "../options.ts";
import { largestGain } from "../directions/noise.ts";
import type { PreparationKind } from "./preparation.ts";

/** Directions that are larger in tensors to which the loss is more sensitive. */
export interface Gains {
  /** The magnitude of z in a tensor is the norm of its gradient to this power, from 0 to 1. Default 0.5. */
  readonly power?: number;
  /** Number of directions evaluated in each tensor before the first step, 1 to 16. Default 2. */
  readonly queries?: number;
  /** Distance of these evaluations, in units of the offset. Default 0.02. */
  readonly epsilon?: number;
  /** Number of batches whose exact gradient is used instead of these evaluations, 1 to 1024. Default: none. */
  readonly gradients?: number | undefined;
}

/** Gains with defaults filled in. */
export type CompleteGains = Required<Omit<Gains, "gradients">> & Pick<Gains, "gradients">;

/**
 * Fills in the defaults of gains.
 *
 * @throws {RangeError} for an argument out of range.
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
    // Absent if not used, so that the bytes of such ledgers do not change.
    ...(gradients === undefined
      ? {}
      : { gradients: integerWithin("gains", "gradients", gradients, 1, 1024) }),
  };
}

/** The least sensitivity that a tensor is assigned, as a fraction of the mean, so that no tensor stands still because of one unlucky measurement. */
const leastShare = 2 ** -8;

/**
 * The gains of tensors: z is multiplied by 2 to this power, at most {@linkcode largestGain} in either direction.
 *
 * A step of length r along a random direction changes a loss with gradient g and Hessian H by `-r |g|` to first order and by `r^2 tr(H) / 2` to
 * second order. If tensors differ in `|g|^2 / tr(H)`, the total decrease grows with the fraction of z in tensors with large gradients. Curvature
 * differs less than gradients do and is harder to measure, so only the gradients are used. A power below 1 is appropriate for gradients that are
 * estimated from few evaluations and that change. The sum of squares of z over all offsets is the same as without gains, up to rounding to
 * powers of two, which keeps products with coefficients exact.
 *
 * Source: this library; the balance is that of importance sampling in coordinate descent.
 *
 * @param squares The mean square of the derivatives along directions in each tensor alone, or the squared norm of its gradient, which the former
 * estimates.
 * @param counts The number of offsets of each tensor.
 *
 * @example Four times the gradient, twice the noise
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

/** The preparation of gains. */
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
