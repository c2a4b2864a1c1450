/**
 * The table of named optimisers, for configuration files and command lines.
 *
 * @module
 */
import type { OptionsOf } from "./declared_option.ts";
import * as all from "./named/all.ts";

/** The name of an optimiser. */
export type OptimiserName = keyof typeof all;

/**
 * All named optimisers, sorted by name.
 *
 * @example An optimiser by name
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

/** All names. */
export const optimiserNames: readonly OptimiserName[] = Object.keys(all) as OptimiserName[];

/** Options that only some named optimisers have. */
export type ExtraOptions = {
  readonly [Name in OptimiserName]: (options: OptionsOf<(typeof all)[Name]["options"]>) => void;
}[OptimiserName] extends (options: infer All) => void ? All : never;
