/**
 * Adapter schemes by name, from the table in `all.ts`.
 *
 * @module
 */

import * as table from "./all.ts";
import type { AdapterScheme } from "./scheme.ts";

/** The name of a scheme. */
export type AdapterSchemeName = keyof typeof table;

/** All names. */
export const adapterSchemeNames: readonly AdapterSchemeName[] = Object.keys(
  table,
) as AdapterSchemeName[];

/**
 * The scheme with this name.
 *
 * @throws {RangeError} listing the known names.
 */
export function adapterScheme(name: string): AdapterScheme {
  const found = adapterSchemeNames.find((known) => known === name);
  // The cast is safe because a scheme only receives plans returned by its own `parse`.
  if (found !== undefined) return table[found] as unknown as AdapterScheme;
  throw new RangeError(
    `Cannot use an adapter of scheme ${JSON.stringify(name)?.slice(0, 60)}: expected one of ${
      adapterSchemeNames.join(", ")
    }; read it with a newer version of the library, such as the one that wrote it`,
  );
}
