/**
 * The repository's rooms, from its exports.
 *
 * @module
 */
import { join } from "@std/path";

/** The repository's root. */
export const root: string = join(import.meta.dirname!, "..");

/** Modules that the package exports, as `./quant/mod.ts`. */
export const entryPoints: readonly string[] = Object.values(
  JSON.parse(await Deno.readTextFile(join(root, "deno.json"))).exports,
);

/** Folders of exported modules. */
export const rooms: readonly string[] = [
  ...new Set(entryPoints.map((path) => path.split("/").slice(1, -1).join("/"))),
].filter((path) => path !== "");
