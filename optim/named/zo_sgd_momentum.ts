/**
 * ZO-SGD with momentum.
 *
 * @module
 */
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { momentumFromSeeds } from "../transformations/momentum_from_seeds.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { momentum as momentumRule } from "../updates/momentum.ts";
import { fromSeeds, MomentumOptions } from "./moments.ts";

/**
 * ZO-SGD-MMT: momentum 0.9, learning rate 1e-6; one f32 per offset.
 *
 * Differences from the source: none known in the rule. With `state: "seeds"`, momentum is cut off after `length` steps, where 3 % of its weight
 * remains.
 *
 * Source: ZO-Bench (arXiv 2402.11592), `momentum 0.9`; recomputed from seeds as proposed by MeZO (arXiv 2305.17333, appendix B.2).
 *
 * @example One value per offset, or 32 directions per step
 * ```ts
 * import { zoSgdMomentum } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([zoSgdMomentum().update?.stateSize, zoSgdMomentum().moves], [1, 1]);
 * assertEquals(zoSgdMomentum({ state: "seeds" }).moves, 32);
 * ```
 */
export const zoSgdMomentum: NamedOptimiser<typeof MomentumOptions> = named({
  name: "zoSgdMomentum",
  summary: "momentum applied to the estimate",
  source: "arXiv 2402.11592",
  defaults: { learningRate: 1e-6 },
  options: MomentumOptions,
  make: (options) => {
    const { epsilon, queries, learningRate, momentum: decay, length } = options;
    return {
      estimator: spsa({ epsilon, queries }),
      ...fromSeeds("zoSgdMomentum", options)
        ? {
          transformations: [
            momentumFromSeeds({ decay, length, directions: queries }),
            scaleBySchedule(learningRate),
          ],
        }
        : { update: momentumRule({ learningRate, decay }) },
    };
  },
});
