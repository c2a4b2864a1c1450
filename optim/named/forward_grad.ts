/**
 * Forward-Grad.
 *
 * @module
 */
import { forwardGradient } from "../estimators/forward_gradient.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/**
 * Forward-Grad: descent along random directions by the exact derivative along each. Learning rate 1e-6. `epsilon`, which all named optimisers
 * accept, has no effect.
 *
 * Differences from the source: directions are generated when weights are read instead of being stored, several directions per step share one
 * evaluation, and there is no weight decay.
 *
 * Source: Baydin et al., "Gradients without backpropagation" (arXiv 2202.08587), as in Zhang et al., "Revisiting zeroth-order optimization for
 * memory-efficient LLM fine-tuning" (arXiv 2402.11592), `ZO-Bench/ZO-LLM`, `--trainer forward_grad`.
 *
 * @example Four directions per step, one loss
 * ```ts
 * import { forwardGrad } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(forwardGrad({ queries: 4 }).estimator.branches.length, 5);
 * ```
 */
export const forwardGrad: NamedOptimiser = named({
  name: "forwardGrad",
  summary: "the exact derivative along random directions",
  source: "arXiv 2402.11592",
  defaults: { learningRate: 1e-6 },
  make: ({ queries, learningRate }) => ({
    estimator: forwardGradient({ queries }),
    transformations: [scaleBySchedule(learningRate)],
  }),
});
