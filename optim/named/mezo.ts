/**
 * MeZO.
 *
 * @module
 */
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/**
 * MeZO: two-sided, absolute offsets, epsilon 1e-3, learning rate 1e-6, no clipping.
 *
 * Differences from the source: z is a normal distribution with 17 levels, and offsets move instead of the parameters themselves.
 *
 * Source: arXiv 2305.17333, algorithm 1.
 *
 * @example Two forward passes per step, one direction
 * ```ts
 * import { mezo, Session } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const optimiser = mezo({ epsilon: 0.5, learningRate: 0.25, distribution: "rademacher" });
 * const session = new Session({ parameters: [1], optimiser });
 * session.tell(session.ask().map(([x]) => 2 * x));
 * assertAlmostEquals(session.parameters()[0], 0.5);
 * ```
 */
export const mezo: NamedOptimiser = named({
  name: "mezo",
  summary: "the plain two-sided estimate",
  source: "arXiv 2305.17333",
  defaults: { learningRate: 1e-6 },
  make: ({ epsilon, queries, learningRate }) => ({
    estimator: spsa({ epsilon, queries }),
    transformations: [scaleBySchedule(learningRate)],
  }),
});
