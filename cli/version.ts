/**
 * The version of the command line.
 *
 * @module
 */

/** The package's version. A test keeps it equal to the one in `deno.json`, which not every form of the package includes. */
export const VERSION = "0.1.0";

/** The versions of the package and of Deno and V8, and the platform, in one line. */
export function versionLine(): string {
  const { deno, v8 } = Deno.version;
  return `qzo ${VERSION} (Deno ${deno}, V8 ${v8}, ${Deno.build.target})`;
}
