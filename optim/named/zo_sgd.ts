/**
 * ZO-SGD.
 *
 * @module
 */
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/**
 * ZO-SGD: two-sided, epsilon 1e-3, learning rate 1e-6. This is {@linkcode mezo} under the name used by ZO-Bench.
 *
 * Differences from the source: with several queries, their mean is never stored.
 *
 * Source: Zhang et al., "Revisiting zeroth-order optimization for memory-efficient LLM fine-tuning" (arXiv 2402.11592), `ZO-Bench/ZO-LLM`,
 * `--trainer zo_sgd`.
 *
 * @example Four directions per step
 * ```ts
 * import { zoSgd } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(zoSgd({ queries: 4 }).estimator.branches.length, 8);
 * ```
 */
export const zoSgd: NamedOptimiser = named({
  name: "zoSgd",
  summary: "`mezo` under its ZO-Bench name",
  source: "arXiv 2402.11592",
  defaults: { learningRate: 1e-6 },
  make: ({ epsilon, queries, learningRate }) => ({
    estimator: spsa({ epsilon, queries }),
    transformations: [scaleBySchedule(learningRate)],
  }),
});
