/**
 * LOZO: zeroth-order descent along low-rank directions.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { type NamedOptions, namedRules } from "./named.ts";
import { type Optimiser, optimiser } from "../optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { spsa } from "../estimators/spsa.ts";
import { elementwise } from "../transformations/transformation.ts";

/** Arguments of {@linkcode lozo}. */
export interface LozoOptions extends NamedOptions {
  /** Columns of the factors, 1 to 8; 4 by default. */
  readonly rank?: number;
  /** Steps that share the kept factor; 50 by default. */
  readonly resample?: number;
}

/**
 * LOZO: two-sided along `z = u v` over the matrix of a tensor's scales, `u` (by row) fresh each step and `v` (by group of columns) kept
 * for 50; moves by `-learning rate * derivative * z / rank`. Epsilon 1e-3, learning rate 1e-7.
 *
 * Departures: `v` is 1 or -1 where the paper's is normal, so that z is exact (see {@linkcode LowRank}); of tensors that are not
 * quantised the factor of the rows is the kept one; there is no momentum (LOZO-M). Rank and interval are those of the released script
 * for RoBERTa; the one for OPT has rank 1 and 100 steps. The learning rate is OPT's. That script for RoBERTa has 1e-6 and does not divide by the
 * rank: in these units 4e-6, a step 40 times as long as the default here.
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
export function lozo(options: LozoOptions = {}): Optimiser {
  assertOptions("make lozo", options, { ...namedRules, rank: "any", resample: "any" });
  const { rank = 4, resample: keep, learningRate = 1e-7 } = options;
  return optimiser({
    ...options,
    name: "lozo",
    estimator: spsa(options),
    transformations: [
      elementwise("averageFactors", { rank }, (o, d) => o.mul(d, o.constant(1 / rank))),
      scaleBySchedule(learningRate),
    ],
    lowRank: { rank, keep },
  });
}
