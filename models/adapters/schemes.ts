/**
 * Schemes of adapters by name, out of the table in `all.ts`.
 *
 * @module
 */

import * as table from "./all.ts";
import type { AdapterScheme } from "./scheme.ts";

/** Names of schemes. */
export type AdapterSchemeName = keyof typeof table;

/** All names. */
export const adapterSchemeNames: readonly AdapterSchemeName[] = Object.keys(
  table,
) as AdapterSchemeName[];

/** A scheme by name. @throws {RangeError} For one that is not known, naming those that are */
export function adapterScheme(name: string): AdapterScheme {
  const found = adapterSchemeNames.find((known) => known === name);
  // What a scheme takes of a plan is what its own parse has made.
  if (found !== undefined) return table[found] as unknown as AdapterScheme;
  throw new RangeError(
    `Cannot use an adapter of scheme ${JSON.stringify(name)?.slice(0, 60)}: expected one of ${
      adapterSchemeNames.join(", ")
    }; read it with a newer version of the library, such as the one that wrote it`,
  );
}
