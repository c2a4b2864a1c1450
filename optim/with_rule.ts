/**
 * Replaces the scalar rule of an optimiser.
 *
 * @module
 */
import { keptInSteps } from "./directions/keep.ts";
import { type Optimiser, optimiser } from "./optimiser.ts";
import type { Transformation } from "./transformations/transformation.ts";

/**
 * `base` with the scalar rule that `change` makes from its own; directions, update rule and form are unchanged. A rule can thus be added around
 * any optimiser, including named ones. The times for which a mask or a factor is kept remain the same in steps; schedules within the rule count
 * its own moves.
 *
 * @throws {RangeError} when the optimiser cannot have that rule; see {@linkcode optimiser}.
 *
 * @example Reject spikes, and accumulate four batches per move
 * ```ts
 * import { accumulate, chain, qzoNormalised, rejectSpikes, withRule } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const calm = withRule(qzoNormalised(), (rule) => chain(rejectSpikes(), accumulate(4, rule)));
 * assertEquals([calm.name, calm.plan.hold], ["qzoNormalised", 4]);
 * ```
 */
export function withRule(
  base: Optimiser,
  change: (rule: Transformation) => Transformation,
): Optimiser {
  const { plan, transformation } = base;
  const { name, estimator, update, accept, distribution, form, projection, span } = base;
  return optimiser({
    ...{ name, estimator, update, accept, distribution, form, projection, span },
    transformations: [change(transformation)],
    ...keptInSteps(plan),
    groups: base.groups,
  });
}
