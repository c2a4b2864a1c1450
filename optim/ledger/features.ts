/**
 * Features: what a reader must know to replay a ledger, by name.
 *
 * @module
 */
import { type DirectionPlan, type PlanPart, planParts } from "../directions/direction_plan.ts";
import type { UpdateRule } from "../updates/update_rule.ts";
import { bad, type Fields } from "./fields.ts";

/**
 * What a ledger needs its reader to know.
 *
 * - `"directions"`: directions that are not each step's own alone: `optimiser.directions` in the header. Parts of these have their own names:
 *   `"mask"`, `"blocks"`, `"lowRank"`, `"magnitude"`, `"gains"`.
 * - `"update"`: an update rule, `optimiser.update`.
 * - `"zeros"`: which moves by gradients of zeros too.
 * - `"places"`: tensors that say in which layer and half of it they are.
 * - `"groups"`: tensors with an epsilon or a learning rate of their own: `group` of a trainable, `optimiser.groups`.
 * - `"exact"`: steps along exact gradients, which no ledger replays: it has no records, and its offsets are in a state file.
 * - `"adapter"`: what is trained may belong to an adapter beside the base: `adapter` in the header.
 */
export type LedgerFeature =
  | "directions"
  | PlanPart
  | "update"
  | "zeros"
  | "places"
  | "groups"
  | "adapter"
  | "exact";

/** What features are found in. */
export interface FeatureFacts {
  /** The directions. */
  readonly plan: DirectionPlan;
  /** Whether they are said. */
  readonly planned: boolean;
  /** The update rule. */
  readonly update: UpdateRule | undefined;
  /** Whether some tensor says where it belongs. */
  readonly placed: boolean;
  /** Whether some tensor is in a group. */
  readonly grouped: boolean;
  /** Whether there is an adapter. */
  readonly adapted: boolean;
  /** Whether gradients are exact. */
  readonly exact: boolean;
}

/** All features, in the order that headers have them. */
export const ledgerFeatures: readonly LedgerFeature[] = [
  "directions",
  ...planParts,
  "update",
  "zeros",
  "places",
  "groups",
  "adapter",
  "exact",
];

/** The features that a ledger of these facts needs. */
export function featuresOf(
  { plan, planned, update, placed, grouped, adapted, exact }: FeatureFacts,
): LedgerFeature[] {
  const needed: Readonly<Record<Exclude<LedgerFeature, PlanPart>, boolean>> = {
    directions: planned,
    update: update !== undefined,
    zeros: update !== undefined && !update.restsAtZero,
    places: placed,
    groups: grouped,
    adapter: adapted,
    exact,
  };
  return ledgerFeatures.filter((name) =>
    name in needed ? needed[name as keyof typeof needed] : plan[name as PlanPart] !== undefined
  );
}

/** The features that a header says; throws for one that this library does not know. */
export function saidFeatures(from: Fields): LedgerFeature[] {
  const said = from.features;
  if (!Array.isArray(said)) throw bad(`"features" is ${JSON.stringify(said)}, not an array`);
  const unknown = said.filter((name) => !(ledgerFeatures as readonly unknown[]).includes(name));
  if (unknown.length > 0) {
    throw bad(
      `it needs ${
        unknown.slice(0, 8).map((name) => JSON.stringify(name)?.slice(0, 60)).join(" and ")
      }, which this version of the library does not know (it knows ${
        ledgerFeatures.join(", ")
      }): ` +
        "read it with a newer version, such as the one that wrote it",
    );
  }
  return said;
}

/** Refuses a header whose features are not those of what it says: who reads by its features would replay another. */
export function assertFeatures(
  said: readonly LedgerFeature[],
  needed: readonly LedgerFeature[],
): void {
  const missing = needed.filter((name) => !said.includes(name));
  const extra = said.filter((name) => !needed.includes(name));
  if (missing.length > 0) throw bad(`"features" lacks ${missing.join(", ")}, which it needs`);
  if (extra.length > 0) throw bad(`"features" has ${extra.join(", ")}, which it does not need`);
}
