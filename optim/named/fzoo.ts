/**
 * FZOO.
 *
 * @module
 */
import { oneSided } from "../estimators/one_sided.ts";
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { normaliseBySpread } from "../transformations/normalise_by_spread.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/**
 * FZOO: eight one-sided Rademacher branches and the base, `sum (L_i - L_0) u_i / (8 std(L))`. Learning rate 1e-4 (chosen by this library).
 *
 * Differences from the source: none known in the rule. Its code shares the products of the branches, as every optimiser here does.
 *
 * Source: FZOO (arXiv 2506.09034).
 *
 * @example Nine forward passes, eight directions
 * ```ts
 * import { fzoo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([fzoo().estimator.branches.length, fzoo().moves], [9, 8]);
 * ```
 */
export const fzoo: NamedOptimiser = named({
  name: "fzoo",
  summary: "one-sided derivatives divided by the spread of a step's losses",
  source: "arXiv 2506.09034",
  defaults: { queries: 8, learningRate: 1e-4, distribution: "rademacher" },
  limits: {
    queries: { min: 2, max: 1023 },
  },
  make: ({ epsilon, queries, learningRate }) => ({
    estimator: oneSided({ epsilon, queries }),
    transformations: [normaliseBySpread(queries), scaleBySchedule(learningRate)],
  }),
});
