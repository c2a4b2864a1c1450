/**
 * The package as other folders and `deno install` take it: `.linked/` in the clone, symbolic links to its rooms and a configuration of
 * its own, in which the stand-ins of `links/` are members of a workspace. Deno takes a root's `links` from nowhere but the root: with them
 * in the configuration of a package that is itself linked, it would warn at every start, and `deno install` would not find them.
 *
 * @module
 */
import { join } from "@std/path";

const clone = join(import.meta.dirname!, "..");

/** What the copy's configuration leaves out: it is about working on the repository. */
const OF_THE_REPOSITORY = ["links", "exclude", "tasks", "fmt", "lint", "publish"];

/** The configuration of a package that others link to. */
export function linkedConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept = Object.entries(config).filter(([key]) => !OF_THE_REPOSITORY.includes(key));
  return { ...Object.fromEntries(kept), ...config.links ? { workspace: config.links } : {} };
}

/** Makes or renews it; returns its path. */
export async function linkedTree(): Promise<string> {
  const folder = join(clone, ".linked");
  await Deno.mkdir(folder, { recursive: true });
  const config = JSON.parse(await Deno.readTextFile(join(clone, "deno.json")));
  const entryPoints: string[] = Object.values(config.exports);
  const names = new Set([...entryPoints.map((path) => path.split("/")[1]), "links"]);
  for (const name of names) {
    const link = join(folder, name);
    if (await Deno.lstat(link).then(() => true, () => false)) continue;
    await Deno.symlink(join("..", name), link);
  }
  const text = `${JSON.stringify(linkedConfig(config), null, 2)}\n`;
  await Deno.writeTextFile(join(folder, "deno.json"), text);
  return folder;
}

if (import.meta.main) console.log(await linkedTree());
