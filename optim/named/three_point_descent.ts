/**
 * The stochastic three-point method.
 *
 * @module
 */
import { threePoint } from "../estimators/three_point.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/**
 * Stay, forward or back by epsilon, 1e-3, whichever loss is lowest: never moves to a point that it saw to be worse. A schedule
 * (1 by default) shortens the step. One direction a step.
 *
 * Source: the stochastic three-point method (arXiv 1902.03591).
 *
 * @example The middle is lowest: stay
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
