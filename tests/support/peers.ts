/**
 * Where the development peers (llama.cpp, onnxruntime-web) are: packages that judge the library and never ship with it.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";

/** A folder of npm packages, or why there is none. */
export type Peers =
  | { readonly folder: string; readonly reason?: undefined }
  | { readonly folder?: undefined; readonly reason: string };

const installed = fromFileUrl(new URL("../../.tools/peers/node_modules", import.meta.url));

/**
 * Finds `QZO_PEERS` (a node_modules folder), else `.tools/peers/node_modules` of this repository, that holds the given
 * package.
 */
export async function findPeer(packageName: string): Promise<Peers> {
  const folder = Deno.env.get("QZO_PEERS") ?? installed;
  try {
    await Deno.stat(join(folder, packageName, "package.json"));
    return { folder };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return {
      reason:
        `${packageName} is not installed (scripts/test_tools.sh installs it, or set QZO_PEERS)`,
    };
  }
}
