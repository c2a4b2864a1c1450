/**
 * The fraction of each tensor that a mask with a global budget keeps.
 *
 * @module
 */
import type { CompleteMask } from "../directions/mask.ts";
import { magnitudeShares } from "./magnitude.ts";
import type { Preparation } from "./preparation.ts";

/** The preparation that finds these fractions. Undefined if the budget is not global. */
export function preparedShares({ budget, density }: CompleteMask): Preparation | undefined {
  if (budget !== "global") return undefined;
  return {
    name: "shares",
    looks: "bases",
    fact: "share",
    find: (bases) => magnitudeShares(density, bases),
  };
}
