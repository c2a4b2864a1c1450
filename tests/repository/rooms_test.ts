import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { filesBelow, type Import, importsOf, roomModules, rooms, root } from "./module_graph.ts";

const modules = roomModules();
const graph = await importsOf(modules);

function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

/** Rooms that a room may import besides itself: those to its left; optim looks at none. */
function allowed(room: string): readonly string[] {
  if (room === "") return rooms;
  if (room === "optim") return [room];
  return rooms.slice(0, rooms.indexOf(room) + 1);
}

function wrongImports(path: string, imports: readonly Import[]): string[] {
  const may = allowed(roomOf(path));
  return imports
    .filter(({ resolved }) => !resolved.includes(":") && !resolved.startsWith("links/"))
    .filter(({ resolved }) => roomOf(resolved) === "" || !may.includes(roomOf(resolved)))
    .map(({ written }) => `${path} imports ${written}`);
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

Deno.test("rooms: each imports only the rooms to its left", () => {
  assertEquals([...graph].flatMap(([path, imports]) => wrongImports(path, imports)), []);
});

Deno.test("rooms: wrong directions would be seen", () => {
  const to = (resolved: string): Import[] => [{ written: resolved, resolved }];
  assertEquals(wrongImports("quant/a.ts", to("kernels/b.ts")).length, 1);
  assertEquals(wrongImports("quant/a.ts", to("optim/b.ts")).length, 1);
  assertEquals(wrongImports("optim/a.ts", to("quant/b.ts")).length, 1);
  assertEquals(wrongImports("kernels/a.ts", to("tests/b.ts")).length, 1);
  assertEquals(wrongImports("kernels/a.ts", to("mod.ts")).length, 1);
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

Deno.test("rooms: every shader is imported by a module", () => {
  const imported = new Set([...graph.values()].flat().map(({ resolved }) => resolved));
  const shaders = rooms.flatMap((room) => filesBelow(room, ".wgsl"));
  assert(shaders.length > 20);
  assertEquals(shaders.filter((path) => !imported.has(path.replace(/\.wgsl$/, ".ts"))), []);
});

Deno.test("rooms: every module says what it is, is named in snake_case and has at most 400 lines", async () => {
  const found: string[] = [];
  for (const path of modules) {
    const text = await read(path);
    const head = /^\s*\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
    if (!head.includes("@module")) found.push(`${path} has no @module`);
    if (!/^(?:[a-z0-9_]+\/)*[a-z0-9_]+\.ts$/.test(path)) found.push(`${path} is not snake_case`);
    const lines = text.trimEnd().split("\n").length;
    if (lines > 400 && !path.startsWith("kernels/wgsl/")) found.push(`${path} has ${lines} lines`);
  }
  assertEquals(found, []);
});
