/**
 * Features: names for what a reader must support in order to replay a ledger.
 *
 * @module
 */
import { type DirectionPlan, type PlanPart, planParts } from "../directions/direction_plan.ts";
import type { UpdateRule } from "../updates/update_rule.ts";
import { bad, type Fields } from "./fields.ts";

/**
 * A capability that a ledger requires of its reader.
 *
 * - `"directions"`: directions other than each step's own, in `optimiser.directions` of the header. Their parts are separate features: `"mask"`,
 *   `"blocks"`, `"lowRank"`, `"magnitude"`, `"gains"`.
 * - `"update"`: an update rule, in `optimiser.update`.
 * - `"zeros"`: an update rule that also acts on gradients of zeros.
 * - `"places"`: tensors with the layer, and the half of it, that they belong to.
 * - `"groups"`: tensors with their own epsilon or learning rate, in `group` of a trainable and `optimiser.groups`.
 * - `"exact"`: steps along exact gradients, which a ledger cannot replay. It has no records, and its offsets are in a state file.
 * - `"adapter"`: trainables that may belong to an adapter, in `adapter` of the header.
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

/** The facts from which features are determined. */
export interface FeatureFacts {
  /** The directions. */
  readonly plan: DirectionPlan;
  /** Whether the header describes the directions. */
  readonly planned: boolean;
  /** The update rule. */
  readonly update: UpdateRule | undefined;
  /** Whether any tensor has a place. */
  readonly placed: boolean;
  /** Whether any tensor is in a group. */
  readonly grouped: boolean;
  /** Whether there is an adapter. */
  readonly adapted: boolean;
  /** Whether gradients are exact. */
  readonly exact: boolean;
}

/** All features, in the order used in headers. */
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

/** The features that a ledger with these facts requires. */
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

/**
 * The features listed in a header.
 *
 * @throws {RangeError} for a feature that this library does not support.
 */
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

/** Rejects a header whose features do not match its contents, because a reader that relies on the features would replay something else. */
export function assertFeatures(
  said: readonly LedgerFeature[],
  needed: readonly LedgerFeature[],
): void {
  const missing = needed.filter((name) => !said.includes(name));
  const extra = said.filter((name) => !needed.includes(name));
  if (missing.length > 0) throw bad(`"features" lacks ${missing.join(", ")}, which it needs`);
  if (extra.length > 0) throw bad(`"features" has ${extra.join(", ")}, which it does not need`);
}
