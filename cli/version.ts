/**
 * Which version of the command line this is.
 *
 * @module
 */

/** The package's version; a test holds it equal to the one in `deno.json`, which not every form of the package brings. */
export const VERSION = "0.1.0";

/** The version with what it runs on, in one line. */
export function versionLine(): string {
  const { deno, v8 } = Deno.version;
  return `qzo ${VERSION} (Deno ${deno}, V8 ${v8}, ${Deno.build.target})`;
}
