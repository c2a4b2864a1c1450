/**
 * MeZO-Greedy.
 *
 * @module
 */
import { bestOf } from "../estimators/pool.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/**
 * MeZO-Greedy: moves along the best of 8 candidates; see {@linkcode bestOf}. `queries` is the number of candidates. Epsilon 1e-3, learning rate
 * 1e-6.
 *
 * Differences from the source: the derivative along the best candidate is the one-sided one by which it was chosen, where the paper takes two
 * more evaluations; a step is therefore a single pass. The number of candidates and the learning rate were chosen by this library, because only
 * summaries of the paper were available.
 *
 * Source: arXiv 2601.04710.
 *
 * @example Three candidates, a move along the best
 * ```ts
 * import { mezoGreedy, scalarStep } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = mezoGreedy({ queries: 3 });
 * const { coefficients } = scalarStep(rule, [3, 5, 2, 2], [], rule.transformation.inputs(0));
 * assertEquals(coefficients.map((c) => c !== 0), [false, true, false]);
 * ```
 */
export const mezoGreedy: NamedOptimiser = named({
  name: "mezoGreedy",
  summary: "uses the best of a pool of directions",
  source: "arXiv 2601.04710",
  defaults: { queries: 8, learningRate: 1e-6 },
  limits: {
    queries: { min: 2, max: 64 },
  },
  make: ({ epsilon, queries: candidates, learningRate }) => ({
    estimator: bestOf({ epsilon, candidates }),
    transformations: [scaleBySchedule(learningRate)],
  }),
});
