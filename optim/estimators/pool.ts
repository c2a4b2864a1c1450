/**
 * Guided pools: several candidate directions are evaluated on one batch, and the step moves along the best of them, or along a contrast of good
 * and bad ones.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, magnitude, type NumberRule } from "../options.ts";
import type { Ops } from "../algebra/ops.ts";

/** For each loss, how many of the others are lower. Of equal losses, the first counts as lower. */
function ranks<T>(o: Ops<T>, losses: readonly T[]): T[] {
  const one = o.constant(1);
  return losses.map((loss, i) =>
    losses.reduce(
      (rank, other, j) =>
        i === j ? rank : o.add(rank, j < i ? o.sub(one, o.less(loss, other)) : o.less(other, loss)),
      o.constant(0),
    )
  );
}

function sum<T>(o: Ops<T>, values: readonly T[]): T {
  return values.reduce((total, value) => o.add(total, value));
}

/** Number of candidates that are ranked together. */
const pool: NumberRule = { min: 2, max: 64, whole: true };

/** Arguments of {@linkcode bestOf}. */
export interface BestOfOptions {
  /** Distance of the evaluated points, in units of the offset. Default 1e-3. */
  readonly epsilon?: number;
  /** Number of candidates, 2 to 64. Default 8. */
  readonly candidates?: number;
}

/**
 * The derivative along the best candidate: `(L(w + epsilon z_i) - L(w)) / epsilon` for the `z_i` with the lowest loss, times the number of
 * candidates, and 0 for the others. A step is therefore that derivative times the best direction. Branches: the base, then plus per candidate.
 *
 * The estimate is biased, because the best candidate is selected on the same batch.
 *
 * Source: MeZO-Greedy (arXiv 2601.04710).
 *
 * @example The second of two candidates is better
 * ```ts
 * import { bestOf, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const estimator = bestOf({ epsilon: 0.5, candidates: 2 });
 * assertEquals(estimator.derivatives(hostOps, [3, 4, 2]), [0, -4]);
 * ```
 */
export function bestOf(options: BestOfOptions = {}): Estimator {
  assertOptions("make bestOf", options, { epsilon: magnitude, candidates: pool });
  const { epsilon = 1e-3, candidates = 8 } = options;
  return {
    name: "bestOf",
    parameters: { epsilon, candidates },
    directions: candidates,
    branches: [
      { direction: 0, amplitude: 0 },
      ...Array.from({ length: candidates }, (_, direction) => ({ direction, amplitude: epsilon })),
    ],
    derivatives(o, [base, ...losses]) {
      const factor = o.constant(candidates / epsilon);
      const first = o.constant(0.5);
      return ranks(o, losses).map((rank, i) =>
        o.select(o.less(rank, first), o.mul(o.sub(losses[i], base), factor), o.constant(0))
      );
    },
  };
}

/** Arguments of {@linkcode contrastOf}. */
export interface ContrastOfOptions extends BestOfOptions {
  /** Number of candidates with the lowest losses, whose mean is the better end. Default 1. */
  readonly top?: number;
  /** Number of candidates with the highest losses, whose mean is the worse end. Default 1. */
  readonly bottom?: number;
}

/**
 * A contrast of the best and the worst candidates: moves along `v = mean of the top z_i - mean of the bottom z_i` by `(mean of the top losses -
 * mean of the bottom losses) / epsilon`. Branches: plus per candidate; there is no base.
 *
 * Source: MeZO-GV (arXiv 2601.04710), which takes two more evaluations for the derivative along `v`.
 *
 * @example The better minus the worse of two candidates
 * ```ts
 * import { contrastOf, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const estimator = contrastOf({ epsilon: 0.5, candidates: 2 });
 * assertEquals(estimator.derivatives(hostOps, [4, 2]), [8, -8]);
 * ```
 */
export function contrastOf(options: ContrastOfOptions = {}): Estimator {
  const { epsilon = 1e-3, candidates = 8, top = 1, bottom = 1 } = options;
  assertOptions("make contrastOf", options, {
    epsilon: magnitude,
    candidates: pool,
    top: { min: 1, max: candidates - 1, whole: true },
    bottom: { min: 1, max: candidates - top, whole: true },
  });
  return {
    name: "contrastOf",
    parameters: { epsilon, candidates, top, bottom },
    directions: candidates,
    branches: Array.from(
      { length: candidates },
      (_, direction) => ({ direction, amplitude: epsilon }),
    ),
    derivatives(o, losses) {
      const zero = o.constant(0);
      const near = o.constant(1 / top);
      const far = o.constant(-1 / bottom);
      // The weight of each candidate in v.
      const shares = ranks(o, losses).map((rank) =>
        o.select(
          o.less(rank, o.constant(top - 0.5)),
          near,
          o.select(o.less(o.constant(candidates - bottom - 0.5), rank), far, zero),
        )
      );
      // Relative to the first loss, so that small differences are not lost in large sums.
      const along = sum(
        o,
        shares.slice(1).map((share, i) => o.mul(share, o.sub(losses[i + 1], losses[0]))),
      );
      const derivative = o.mul(along, o.constant(candidates / epsilon));
      return shares.map((share) => o.mul(derivative, share));
    },
  };
}
