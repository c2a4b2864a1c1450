/**
 * Converts how long masks, blocks and factors are kept: users count steps, and plans count draws of directions, from which seeds follow.
 *
 * @module
 */
import { type DirectionPlan, isStructure, mapParts, type PlanParts } from "./direction_plan.ts";
import type { Transformation } from "../transformations/transformation.ts";

/** The parts of a plan that may be kept for several steps. */
export type Kept = PlanParts;

/** `kept` with other durations: those of structures changed by `draws`, those of preparations by `steps`. */
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
 * Durations in steps, converted to those in the plan of an optimiser with the given rule. For structures, these are draws of directions, rounded up,
 * because the rule may hold directions for several steps. For preparations, they are steps, rounded up to whole moves.
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

/** The durations of a plan in steps: the inverse of {@linkcode keptInPlan}, except for rounding. */
export function keptInSteps(plan: DirectionPlan): Kept {
  return retimed(plan, (keep) => keep * plan.hold, (keep) => keep);
}
