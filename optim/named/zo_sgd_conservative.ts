/**
 * ZO-SGD-Cons.
 *
 * @module
 */
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { acceptBest } from "../updates/accept.ts";

/**
 * ZO-SGD-Cons: after each estimate, takes the best of staying, the step and the opposite step, on the same batch; five forward passes in two
 * passes over the weights. Learning rate 1e-6. {@linkcode threePointDescent} is similar, with three forward passes in one pass.
 *
 * Differences from the source: the step is plain, as in the paper. ZO-Bench's code mistakenly steps with AdamW, so its three points are not
 * those of the rule.
 *
 * Source: ZO-Bench (arXiv 2402.11592), `--trainer zo_conserv`.
 *
 * @example A step that would increase the loss is not made
 * ```ts
 * import { minimise, zoSgdConservative } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const optimiser = zoSgdConservative({ learningRate: 10, distribution: "rademacher" });
 * const objective = ([x]: Float32Array) => x * x;
 * for await (const { losses, session } of minimise({ parameters: [1], optimiser, steps: 1, objective })) {
 *   assertEquals([losses.length, losses[2]], [5, 1]);
 *   assertEquals(session.parameters(), new Float32Array([1]));
 * }
 * ```
 */
export const zoSgdConservative: NamedOptimiser = named({
  name: "zoSgdConservative",
  summary: "tries each step forward and backward, and keeps the best of three points",
  source: "arXiv 2402.11592",
  defaults: { learningRate: 1e-6 },
  limits: {
    queries: { max: 1 },
  },
  make: ({ epsilon, learningRate }) => ({
    estimator: spsa({ epsilon }),
    transformations: [scaleBySchedule(learningRate)],
    accept: acceptBest(),
  }),
});
