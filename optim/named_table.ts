/**
 * Named optimisers by their names, for configuration files and command lines.
 *
 * @module
 */
import type { OptionsOf } from "./declared_option.ts";
import * as all from "./named/all.ts";
import type { NamedOptimiser } from "./named_optimiser.ts";

/** What people write to have an optimiser. */
export type OptimiserName = keyof typeof all;

/**
 * All named optimisers, in the order of their names.
 *
 * @example By name
 * ```ts
 * import { namedOptimisers } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { meazo } = namedOptimisers;
 * assertEquals(Object.keys(meazo.options), ["decay"]);
 * assertEquals(meazo({ decay: 0.9 }).name, "meazo");
 * ```
 */
export const namedOptimisers: typeof all = all;

/** Their names. */
export const optimiserNames: readonly OptimiserName[] = Object.keys(all) as OptimiserName[];

/** The options of an optimiser's own. */
type OwnOf<Named> = Named extends NamedOptimiser<infer Own> ? Own : never;

type Intersection<Union> = (Union extends unknown ? (of: Union) => void : never) extends
  (of: infer All) => void ? All : never;

/** Options that only some named optimisers have. */
export type ExtraOptions = Intersection<OptionsOf<OwnOf<(typeof all)[OptimiserName]>>>;
