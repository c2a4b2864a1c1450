/**
 * Guided pools: several candidate directions on one batch, of which the losses choose one, or a contrast of them, to move along.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { integerWithin, positive } from "../check.ts";
import type { Estimator } from "./estimator.ts";
import { type NamedOptions, namedRules } from "../named/named.ts";
import type { Ops } from "../algebra/ops.ts";
import { type Optimiser, optimiser } from "../optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/** For each loss, how many of the others are lower; of equal ones the first counts as lower. */
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

/** Arguments of {@linkcode bestOf}. */
export interface BestOfOptions {
  /** How far to look, in units of the offset; 1e-3 by default. */
  readonly epsilon?: number;
  /** Candidates, 2 to 64; 8 by default. */
  readonly candidates?: number;
}

/**
 * The best candidate alone: `(L(w + epsilon z_i) - L(w)) / epsilon` for the `z_i` of the lowest loss, times the candidates; 0 for the
 * others, so that a step is the derivative along the best times it. Branches: the base, then plus per candidate.
 *
 * The estimate of the best is biased: it was chosen for being low, on the batch that it is judged by.
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
export function bestOf({ epsilon = 1e-3, candidates = 8 }: BestOfOptions = {}): Estimator {
  positive("bestOf", "epsilon", epsilon);
  integerWithin("bestOf", "candidates", candidates, 2, 64);
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
  /** Candidates of the lowest losses whose mean is one end; 1 by default. */
  readonly top?: number;
  /** Candidates of the highest losses whose mean is the other; 1 by default. */
  readonly bottom?: number;
}

/**
 * Best against worst: along `v = mean of the top z_i - mean of the bottom z_i` by
 * `(mean of the top losses - mean of the bottom losses) / epsilon`. Branches: plus per candidate; there is no base.
 *
 * Source: MeZO-GV (arXiv 2601.04710), whose derivative along `v` takes two more evaluations.
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
export function contrastOf(
  { epsilon = 1e-3, candidates = 8, top = 1, bottom = 1 }: ContrastOfOptions = {},
): Estimator {
  positive("contrastOf", "epsilon", epsilon);
  integerWithin("contrastOf", "candidates", candidates, 2, 64);
  integerWithin("contrastOf", "top", top, 1, candidates - 1);
  integerWithin("contrastOf", "bottom", bottom, 1, candidates - top);
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
      // Each candidate's share of v.
      const shares = ranks(o, losses).map((rank) =>
        o.select(
          o.less(rank, o.constant(top - 0.5)),
          near,
          o.select(o.less(o.constant(candidates - bottom - 0.5), rank), far, zero),
        )
      );
      // Against the first loss, so that a small difference is not lost in large sums.
      const along = sum(
        o,
        shares.slice(1).map((share, i) => o.mul(share, o.sub(losses[i + 1], losses[0]))),
      );
      const derivative = o.mul(along, o.constant(candidates / epsilon));
      return shares.map((share) => o.mul(derivative, share));
    },
  };
}

/**
 * MeZO-Greedy: moves along the best of 8 candidates, see {@linkcode bestOf}; `queries` are the candidates. Epsilon 1e-3, learning
 * rate 1e-6.
 *
 * Departures: the derivative along the best is the one-sided one that chose it, where the paper takes two more evaluations, so that a
 * step is one pass. Size of the pool and learning rate are ours: of the paper only summaries were read.
 *
 * Source: arXiv 2601.04710.
 *
 * @example Nine forwards, one direction that moves
 * ```ts
 * import { mezoGreedy, scalarStep } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = mezoGreedy({ queries: 3 });
 * const { coefficients } = scalarStep(rule, [3, 5, 2, 2], [], rule.transformation.inputs(0));
 * assertEquals(coefficients.map((c) => c !== 0), [false, true, false]);
 * ```
 */
export function mezoGreedy(options: NamedOptions = {}): Optimiser {
  assertOptions("make mezoGreedy", options, namedRules);
  return optimiser({
    ...options,
    name: "mezoGreedy",
    estimator: bestOf({ epsilon: options.epsilon, candidates: options.queries }),
    transformations: [scaleBySchedule(options.learningRate ?? 1e-6)],
  });
}

/** Arguments of {@linkcode mezoGv}. */
export interface MezoGvOptions extends NamedOptions {
  /** Candidates of the lowest losses; a quarter of them by default. */
  readonly top?: number;
}

/**
 * MeZO-GV: moves along the mean of the best candidates minus the mean of all others, see {@linkcode contrastOf}; `queries` are the
 * candidates, 8 by default. Epsilon 1e-3, learning rate 1e-6.
 *
 * Departures: as of {@linkcode mezoGreedy}.
 *
 * Source: arXiv 2601.04710.
 *
 * @example Eight forwards, all of which move
 * ```ts
 * import { mezoGv } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { branches, parameters } = mezoGv().estimator;
 * assertEquals([branches.length, parameters.top, parameters.bottom], [8, 2, 6]);
 * ```
 */
export function mezoGv(options: MezoGvOptions = {}): Optimiser {
  assertOptions("make mezoGv", options, { ...namedRules, top: "any" });
  const { epsilon, queries: candidates = 8, learningRate = 1e-6 } = options;
  const { top = Math.max(1, Math.floor(candidates / 4)) } = options;
  return optimiser({
    ...options,
    name: "mezoGv",
    estimator: contrastOf({ epsilon, candidates, top, bottom: candidates - top }),
    transformations: [scaleBySchedule(learningRate)],
  });
}
