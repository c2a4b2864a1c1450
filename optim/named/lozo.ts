/**
 * LOZO: zeroth-order descent along low-rank directions.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { elementwise } from "../transformations/transformation.ts";

/** Options of {@linkcode lozo} besides {@linkcode NamedOptions}. */
export const LozoOptions = {
  rank: { doc: "columns of the factors of a direction", whole: true, min: 1, max: 8, default: 4 },
  resample: {
    doc: "number of steps that reuse the same factor",
    whole: true,
    min: 1,
    max: 0xffffffff,
    default: 50,
  },
} as const;
/** Arguments of {@linkcode lozo}. */
export type LozoOptions = NamedOptions & OptionsOf<typeof LozoOptions>;

/**
 * LOZO: two-sided along `z = u v` over the matrix of a tensor's scales, with `u` (by row) drawn in each step and `v` (by group of columns) kept
 * for 50 steps. Moves by `-learning rate * derivative * z / rank`. Epsilon 1e-3, learning rate 1e-7.
 *
 * Differences from the source: `v` is 1 or -1 instead of normal, so that z is exact (see {@linkcode LowRank}). In tensors that are not
 * quantised, the factor of the rows is the one that is kept. There is no momentum (LOZO-M).
 *
 * Rank and interval are those of the released script for RoBERTa; the script for OPT uses rank 1 and 100 steps. The learning rate is that for
 * OPT. The script for RoBERTa uses 1e-6 and does not divide by the rank, which corresponds to 4e-6 in these units, 40 times the default here.
 *
 * Source: LOZO (arXiv 2410.07698), `optsuite/LOZO`.
 *
 * @example A direction of rank 1: each column is the first, or its negative
 * ```ts
 * import { lozo, Session } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const parameters = new Float32Array(24);
 * const tensors = [{ name: "blk.0.attn_q.weight", count: 24, width: 8 }];
 * const [z] = new Session({ parameters, tensors, optimiser: lozo({ rank: 1, epsilon: 1 }) }).ask();
 * const sizes = (column: number) => z.slice(8 * column, 8 * column + 8).map(Math.abs);
 * assertEquals([sizes(1), sizes(2)], [sizes(0), sizes(0)]);
 * ```
 */
export const lozo: NamedOptimiser<typeof LozoOptions> = named({
  name: "lozo",
  summary: "low-rank directions over the matrix of a tensor's scales",
  source: "arXiv 2410.07698",
  defaults: { learningRate: 1e-7 },
  options: LozoOptions,
  make: ({ epsilon, queries, learningRate, rank, resample: keep }) => ({
    estimator: spsa({ epsilon, queries }),
    transformations: [
      elementwise("averageFactors", { rank }, (o, d) => o.mul(d, o.constant(1 / rank))),
      scaleBySchedule(learningRate),
    ],
    lowRank: { rank, keep },
  }),
});
