/**
 * A copy of the package's tree, to publish or pack from with another configuration.
 *
 * @module
 */
import { dirname, join } from "@std/path";

/** The repository's root folder. */
export const root: string = join(import.meta.dirname!, "..");

/**
 * Where the stand-ins of `links/` are in the copy: nowhere (`@std` comes from JSR), beside the package (publishing refuses modules
 * that are excluded and yet imported), or within it, imported by paths (`deno pack` rewrites no names of import maps).
 */
export type StandIns = "none" | "beside" | "within";

/** What `deno.json` says, as far as it matters here. */
export interface PackageConfig {
  readonly name: string;
  readonly version: string;
  exports: Record<string, string>;
  imports: Record<string, string>;
  /** Where the stand-ins lie. */
  links?: string[];
}

/** A folder that is removed when it is disposed of. */
export interface PackageCopy extends AsyncDisposable {
  /** The copy's root: `deno.json` lies here. */
  readonly folder: string;
}

/** Files that belong to the repository, committed or not, as paths from the root with `/`. */
export async function repositoryFiles(): Promise<string[]> {
  const listed = await new Deno.Command("git", {
    args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd: root,
  }).output();
  if (!listed.success) {
    throw new Error(`Cannot list the files: ${new TextDecoder().decode(listed.stderr)}`);
  }
  return new TextDecoder().decode(listed.stdout).split("\0").filter((path) => path !== "");
}

/** The configuration with the stand-ins elsewhere. */
export async function withStandIns(config: PackageConfig, where: StandIns): Promise<PackageConfig> {
  const { links, ...rest } = config;
  if (where === "none" || links === undefined) return rest;
  if (where === "beside") return { ...rest, links: links.map((path) => join("..", path)) };
  const imports = { ...rest.imports };
  for (const path of links) {
    const link = JSON.parse(await Deno.readTextFile(join(root, path, "deno.json")));
    Object.assign(imports, link.imports);
    delete imports[link.name];
  }
  return { ...rest, imports };
}

const STD_IMPORT = /^(?!\s*\*)(.*\bfrom\s+)"@std\/(\w+)"/gm;

/** A module's text with the stand-ins imported by their paths. */
export function withPaths(path: string, text: string): string {
  const up = dirname(path) === "." ? "./" : "../".repeat(path.split("/").length - 1);
  return text.replace(STD_IMPORT, (_, from, name) => `${from}"${up}links/${name}/mod.ts"`);
}

/** Copies the tree and changes its configuration. */
export async function copyPackage(standIns: StandIns): Promise<PackageCopy> {
  const copy = await Deno.makeTempDir({ prefix: "qzo-package-" });
  const folder = join(copy, "package");
  for (const path of await repositoryFiles()) {
    const isLink = path.startsWith("links/");
    if (isLink && standIns === "none") continue;
    const target = join(isLink && standIns === "beside" ? copy : folder, path);
    await Deno.mkdir(dirname(target), { recursive: true });
    try {
      await Deno.copyFile(join(root, path), target);
      if (standIns === "within" && path.endsWith(".ts")) {
        await Deno.writeTextFile(target, withPaths(path, await Deno.readTextFile(target)));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // deleted, not yet committed
    }
  }
  const path = join(folder, "deno.json");
  const config = await withStandIns(JSON.parse(await Deno.readTextFile(path)), standIns);
  await Deno.writeTextFile(path, JSON.stringify(config, null, 2));
  // It locks the links' own packages.
  if (standIns === "none") await Deno.remove(join(folder, "deno.lock"));
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(copy, { recursive: true }) };
}

/** Whether JSR answers; asked once. */
export async function jsrAnswers(): Promise<boolean> {
  try {
    const url = "https://jsr.io/@std/path/meta.json";
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Runs a program and returns what it printed.
 *
 * @throws {Error} When it fails, with what it printed
 */
export async function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    ...cwd === undefined ? {} : { cwd },
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const printed = decoder.decode(stdout) + decoder.decode(stderr);
  if (!success) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${printed}`);
  return printed;
}

/** {@linkcode run} of Deno itself. */
export function deno(args: readonly string[], cwd: string): Promise<string> {
  return run(Deno.execPath(), args, cwd);
}
