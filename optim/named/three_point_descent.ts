/**
 * The stochastic three-point method.
 *
 * @module
 */
import { threePoint } from "../estimators/three_point.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/**
 * Stays, or moves forward or back by epsilon (1e-3), to the point with the lowest loss. It never moves to a point that it found to be worse. A
 * schedule (default 1) shortens the step. One direction per step.
 *
 * Source: the stochastic three-point method (arXiv 1902.03591).
 *
 * @example The step stays if the middle is lowest
 * ```ts
 * import { scalarStep, threePointDescent } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = threePointDescent();
 * assertEquals(scalarStep(rule, [1, 2, 3], [], rule.transformation.inputs(0)).coefficients, [0]);
 * ```
 */
export const threePointDescent: NamedOptimiser = named({
  name: "threePointDescent",
  summary: "moves to the lowest of three points: stay, forward or back",
  source: "arXiv 1902.03591",
  defaults: { learningRate: 1 },
  limits: {
    queries: { max: 1 },
  },
  make: ({ epsilon, learningRate }) => ({
    estimator: threePoint({ epsilon }),
    transformations: [scaleBySchedule(learningRate)],
  }),
});
