/**
 * Shares: how much of each tensor a mask leaves whose budget is global.
 *
 * @module
 */
import type { CompleteMask } from "../directions/mask.ts";
import { magnitudeShares } from "./magnitude.ts";
import type { Preparation } from "./preparation.ts";

/** What a mask wants to know of each tensor, if anything. */
export function preparedShares({ budget, density }: CompleteMask): Preparation | undefined {
  if (budget !== "global") return undefined;
  return {
    name: "shares",
    looks: "bases",
    fact: "share",
    find: (bases) => magnitudeShares(density, bases),
  };
}
