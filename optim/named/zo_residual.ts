/**
 * Residual feedback.
 *
 * @module
 */
import { onePoint } from "../estimators/one_point.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { residualFeedback } from "../transformations/residual_feedback.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/**
 * One forward pass per step: compares the loss at a perturbed point with that of the previous step. Learning rate 1e-7.
 *
 * Source: residual feedback (arXiv 2006.10820). MeZO (arXiv 2305.17333, appendix B.5) found it worse with the same number of forward passes.
 *
 * @example One branch
 * ```ts
 * import { zoResidual } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(zoResidual().estimator.branches.length, 1);
 * ```
 */
export const zoResidual: NamedOptimiser = named({
  name: "zoResidual",
  summary: "one forward pass per step: compares the loss with that of the previous step",
  source: "arXiv 2006.10820",
  defaults: { learningRate: 1e-7 },
  make: ({ epsilon, queries, learningRate }) => ({
    estimator: onePoint({ epsilon, queries }),
    transformations: [residualFeedback(), scaleBySchedule(learningRate)],
  }),
});
