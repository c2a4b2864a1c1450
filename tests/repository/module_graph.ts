/**
 * The repository's own modules and what they import, as Deno resolves them.
 *
 * @module
 */
import { fromFileUrl, join, relative, toFileUrl } from "@std/path";

/** The repository's root folder. */
export const root: string = join(import.meta.dirname!, "../..");

/** The rooms, from the one that imports nothing to the one that may import all. */
export const rooms: readonly string[] = [
  "quant",
  "optim",
  "kernels",
  "models",
  "tasks",
  "train",
  "show",
  "cli",
];

/** Files below a folder of the root whose names end so, as paths from the root with `/`. */
export function filesBelow(folder: string, ending: string): string[] {
  const found: string[] = [];
  let entries: Deno.DirEntry[] = [];
  try {
    entries = [...Deno.readDirSync(join(root, folder))];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const { name, isDirectory } of entries) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) found.push(...filesBelow(path, ending));
    else if (name.endsWith(ending)) found.push(path);
  }
  return found.sort();
}

/** Modules of the rooms, and the root's own. */
export function roomModules(): string[] {
  const own = [...Deno.readDirSync(root)].map(({ name }) => name).filter((it) =>
    it.endsWith(".ts")
  );
  return [...rooms.flatMap((room) => filesBelow(room, ".ts")), ...own];
}

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** One import: as written, and as resolved (a path from the root for files of the repository). */
export interface Import {
  /** As written. */
  readonly written: string;
  /** A path from the root, or a URL. */
  readonly resolved: string;
}

/** What each of the modules imports, types included. */
export async function importsOf(paths: readonly string[]): Promise<Map<string, Import[]>> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      entry,
      paths.map((path) => `import ${JSON.stringify(toFileUrl(join(root, path)).href)};\n`).join(""),
    );
    const output = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", join(root, "deno.json"), entry],
      cwd: root,
    }).output();
    const decoder = new TextDecoder();
    if (!output.success) throw new Error(decoder.decode(output.stderr));
    const info: Info = JSON.parse(decoder.decode(output.stdout));
    const wanted = new Set(paths);
    const graph = new Map<string, Import[]>();
    for (const module of info.modules) {
      const path = own(module.specifier);
      if (!wanted.has(path)) continue;
      const imports = (module.dependencies ?? []).flatMap(({ specifier, code, type }) =>
        [code?.specifier, type?.specifier].filter((it) => it !== undefined)
          .map((resolved) => ({ written: specifier, resolved: own(resolved) }))
      );
      graph.set(path, imports);
    }
    return graph;
  } finally {
    await Deno.remove(entry);
  }
}

function own(specifier: string): string {
  if (!specifier.startsWith("file:")) return specifier;
  return relative(root, fromFileUrl(specifier)).replaceAll("\\", "/");
}
