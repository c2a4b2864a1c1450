import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { filesBelow, type Import, importsOf, roomModules, rooms, root } from "./module_graph.ts";

const modules = roomModules();
const graph = await importsOf(modules);

/**
 * Folders in the order of imports: each imports itself and those to its left. Folders below one belong to it, where they have no place of
 * their own.
 */
const ORDER: readonly string[] = [
  "quant",
  "optim",
  "models/tokenizers",
  "kernels",
  "models",
  "models/checkpoints",
  "tasks",
  "models/inference",
  "train",
  "show",
  "cli",
];

/** Those that import nothing but themselves. */
const ALONE: readonly string[] = ["quant", "optim", "models/tokenizers"];

/** Imports against the order: of entries, which show all folders of their room, and those that a later step of the rebuilding takes away. */
const OWED_IMPORTS: readonly {
  readonly from: string;
  readonly to: string;
  readonly step: string;
}[] = [
  { from: "models/mod.ts", to: "models/checkpoints", step: "none: it is the entry of the room" },
  { from: "models/mod.ts", to: "models/inference", step: "none: it is the entry of the room" },
];

/** Rooms whose folders import each other in one direction only. */
const ONE_WAY: readonly string[] = ["quant"];

/** Files that a folder may have. */
const MOST_FILES = 25;

/** Folders with more, until a later step. */
const OWED_FOLDERS: readonly { readonly folder: string; readonly files: number }[] = [];

/** The folder of {@linkcode ORDER} that a module belongs to; "" for the root. */
function roomOf(path: string): string {
  const within = ORDER.filter((folder) => path.startsWith(`${folder}/`));
  return within.toSorted((a, b) => b.length - a.length)[0] ??
    (path.includes("/") ? path.slice(0, path.indexOf("/")) : "");
}

/** Folders that a folder may import besides itself. */
function allowed(room: string): readonly string[] {
  if (room === "") return ORDER;
  if (ALONE.includes(room)) return [room];
  return ORDER.slice(0, ORDER.indexOf(room) + 1);
}

function wrongImports(
  path: string,
  imports: readonly Import[],
): { path: string; to: string; written: string }[] {
  const may = allowed(roomOf(path));
  return imports
    .filter(({ resolved }) => !resolved.includes(":") && !resolved.startsWith("links/"))
    .filter(({ resolved }) => roomOf(resolved) === "" || !may.includes(roomOf(resolved)))
    .map(({ written, resolved }) => ({ path, to: roomOf(resolved), written }));
}

/** A way through the graph that ends where it began, or undefined. */
function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of edges.get(path) ?? []) {
      const cycle = visit(next, [...way, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of edges.keys()) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<![:"'`\w])\/\/.*/g, "");
}

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(join(root, path));
}

Deno.test("rooms: the graph holds every module", () => {
  assert(modules.length > 20);
  assertEquals(modules.filter((path) => !graph.has(path)), []);
});

const wrong = [...graph].flatMap(([path, imports]) => wrongImports(path, imports));

Deno.test("rooms: each folder imports only those to its left", () => {
  const found = wrong.filter(({ path, to }) =>
    !OWED_IMPORTS.some((owed) => owed.from === path && owed.to === to)
  );
  assertEquals(found.map(({ path, written }) => `${path} imports ${written}`), []);
});

Deno.test("rooms: imports against the order that are owed are still there; if not, take them from the list", () => {
  const paid = OWED_IMPORTS.filter(({ from, to }) =>
    !wrong.some((it) => it.path === from && it.to === to)
  );
  assertEquals(paid, []);
});

Deno.test("rooms: every room has its place in the order", () => {
  assertEquals(rooms.filter((room) => !ORDER.includes(room)), []);
  assertEquals(ORDER.filter((folder) => filesBelow(folder, ".ts").length === 0), []);
});

Deno.test("rooms: no folder has more than 25 files, generated and recorded ones apart", () => {
  const counts = new Map<string, number>();
  for (
    const path of [...rooms, "tests", "scripts", "bench"].flatMap((folder) =>
      filesBelow(folder, "")
    )
  ) {
    if (path.endsWith(".wgsl.ts") || path.includes("/fixtures/")) continue;
    if (path.startsWith("bench/results/")) continue;
    const folder = path.slice(0, path.lastIndexOf("/"));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const large = [...counts].filter(([, files]) => files > MOST_FILES)
    .map(([folder, files]) => ({ folder, files }));
  assertEquals(large, OWED_FOLDERS);
});

Deno.test("rooms: wrong directions would be seen", () => {
  const to = (resolved: string): Import[] => [{ written: resolved, resolved }];
  assertEquals(wrongImports("quant/a.ts", to("kernels/b.ts")).length, 1);
  assertEquals(wrongImports("quant/a.ts", to("optim/b.ts")).length, 1);
  assertEquals(wrongImports("optim/a.ts", to("quant/b.ts")).length, 1);
  assertEquals(wrongImports("kernels/a.ts", to("tests/b.ts")).length, 1);
  assertEquals(wrongImports("kernels/a.ts", to("mod.ts")).length, 1);
  assertEquals(wrongImports("models/a.ts", to("models/checkpoints/b.ts")).length, 1);
  assertEquals(wrongImports("models/config/a.ts", to("models/inference/b.ts")).length, 1);
  assertEquals(wrongImports("models/tokenizers/a/b.ts", to("quant/b.ts")).length, 1);
  assertEquals(wrongImports("models/checkpoints/gguf/a.ts", to("models/b.ts")).length, 0);
  assertEquals(wrongImports("models/inference/a.ts", to("models/checkpoints/disk/b.ts")).length, 0);
  assertEquals(wrongImports("train/a.ts", to("optim/b.ts")).length, 0);
  assertEquals(findCycle(new Map([["a", ["b"]], ["b", ["c"]], ["c", ["b"]]])), ["b", "c", "b"]);
  assertEquals(findCycle(new Map([["a", ["b", "c"]], ["b", ["c"]]])), undefined);
});

Deno.test("rooms: no module imports itself, directly or around", () => {
  const edges = new Map(
    [...graph].map(([path, imports]) => [path, imports.map((it) => it.resolved)]),
  );
  assertEquals(findCycle(edges), undefined);
});

Deno.test("rooms: folders of a room do not import each other around", () => {
  const edges = new Map<string, string[]>();
  const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
  for (const [path, imports] of graph) {
    const folder = folderOf(path);
    if (!ONE_WAY.some((room) => folder.startsWith(`${room}/`))) continue;
    const others = imports.map(({ resolved }) => folderOf(resolved))
      .filter((it) => it !== folder && ONE_WAY.some((room) => it.startsWith(`${room}/`)));
    edges.set(folder, [...edges.get(folder) ?? [], ...others]);
  }
  assert(edges.size > 5);
  assertEquals(findCycle(edges), undefined);
});

Deno.test("rooms: other packages are imported by their names in deno.json", () => {
  const found = [...graph].flatMap(([path, imports]) =>
    imports.filter(({ written }) => /^(?:npm|jsr|https?):/.test(written))
      .map(({ written }) => `${path} imports ${written}`)
  );
  assertEquals(found, []);
});

Deno.test("rooms: quant and optim know no GPU and no Deno", async () => {
  const found: string[] = [];
  for (const path of modules.filter((it) => /^(?:quant|optim)\//.test(it))) {
    const used = /\bDeno\.\w+|\bGPU[A-Z]\w*|\bnavigator\b/.exec(withoutComments(await read(path)));
    if (used) found.push(`${path} uses ${used[0]}`);
  }
  assertEquals(found, []);
});

Deno.test("rooms: models know Deno in the folder of the disk alone", async () => {
  const found: string[] = [];
  for (const path of modules.filter((it) => it.startsWith("models/"))) {
    if (path.startsWith("models/checkpoints/disk/")) continue;
    const used = /\bDeno\.\w+/.exec(withoutComments(await read(path)));
    if (used) found.push(`${path} uses ${used[0]}`);
  }
  assertEquals(found, []);
});

Deno.test("rooms: what a module exports of others it lists by name", async () => {
  const found: string[] = [];
  for (const path of modules) {
    if (/^export \*/m.test(withoutComments(await read(path)))) found.push(path);
  }
  assertEquals(found, []);
});

Deno.test("rooms: every shader is imported by a module", () => {
  const imported = new Set([...graph.values()].flat().map(({ resolved }) => resolved));
  const shaders = rooms.flatMap((room) => filesBelow(room, ".wgsl"));
  assert(shaders.length > 20);
  assertEquals(shaders.filter((path) => !imported.has(`${path}.ts`)), []);
});

Deno.test("rooms: every module says what it is, is named in snake_case and has at most 400 lines", async () => {
  const found: string[] = [];
  for (const path of modules) {
    const text = await read(path);
    const head = /^\s*\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
    if (!head.includes("@module")) found.push(`${path} has no @module`);
    if (!/^(?:[a-z0-9_]+\/)*[a-z0-9_]+(?:\.wgsl)?\.ts$/.test(path)) {
      found.push(`${path} is not snake_case`);
    }
    const lines = text.trimEnd().split("\n").length;
    if (lines > 400 && !path.endsWith(".wgsl.ts")) found.push(`${path} has ${lines} lines`);
  }
  assertEquals(found, []);
});
