/**
 * How long masks, blocks and factors are kept: people count steps, plans the draws that seeds follow from.
 *
 * @module
 */
import { type DirectionPlan, isStructure, mapParts, type PlanParts } from "./direction_plan.ts";
import type { Transformation } from "../transformations/transformation.ts";

/** What a plan may keep for a while. */
export type Kept = PlanParts;

/** `kept` with other times: `draws` of those that go with directions, `steps` of what is prepared anew. */
function retimed(
  kept: Kept,
  draws: (keep: number) => number,
  steps: (keep: number) => number,
): Kept {
  return mapParts(kept, (part: { readonly keep?: number }, name) => {
    if (part.keep === undefined) return part;
    return { ...part, keep: (isStructure(name) ? draws : steps)(part.keep) };
  });
}

/**
 * What is kept for so many steps, as the plan of an optimiser with that rule has it: in draws of directions, rounded up, where the rule holds
 * them for some steps; what is prepared anew in steps, rounded up to whole moves.
 */
export function keptInPlan(
  kept: Kept,
  { hold = 1, period = hold }: Pick<Transformation, "period" | "hold">,
): Kept {
  return retimed(
    kept,
    (keep) => Math.ceil(keep / hold),
    (keep) => period * Math.ceil(keep / period),
  );
}

/** What a plan keeps, in steps: the inverse of {@linkcode keptInPlan} up to its rounding. */
export function keptInSteps(plan: DirectionPlan): Kept {
  return retimed(plan, (keep) => keep * plan.hold, (keep) => keep);
}
