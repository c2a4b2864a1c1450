/**
 * A Node that the library supports, and npm.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";

/** The oldest Node that the npm form is for. */
export const OLDEST_NODE = 22;

const installed = fromFileUrl(new URL("../../.tools/node/node_modules/.bin/node", import.meta.url));

/** A program, or why there is none. */
export type Program =
  | { readonly path: string; readonly reason?: undefined }
  | { readonly path?: undefined; readonly reason: string };

/** Finds `.tools/node` of this repository, which is the oldest supported, else a `node` that is not older. */
export async function findNode(): Promise<Program> {
  const seen: string[] = [];
  for (const path of [installed, "node"]) {
    const version = await printed(path, ["--version"]);
    if (version === undefined) continue;
    if (Number(/^v(\d+)\./.exec(version)?.[1]) >= OLDEST_NODE) return { path };
    seen.push(version);
  }
  const found = seen.length === 0 ? "is here" : `is here, but ${seen.join(" and ")}`;
  return { reason: `no Node ${OLDEST_NODE} or newer ${found} (scripts/test_tools.sh installs it)` };
}

/** Finds npm. */
export async function findNpm(): Promise<Program> {
  return await printed("npm", ["--version"]) === undefined
    ? { reason: "npm is not installed" }
    : { path: "npm" };
}

async function printed(path: string, args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(path, { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
