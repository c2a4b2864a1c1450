import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { withPaths, withStandIns } from "../../scripts/package_copy.ts";
import { filesBelow, rooms, root } from "./module_graph.ts";

const config = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
const entryPoints: string[] = Object.values(config.exports);

interface Dependency {
  readonly specifier: string;
  readonly assertionType?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

interface Module {
  readonly specifier: string;
  readonly kind: string;
  readonly mediaType?: string;
  readonly dependencies?: readonly Dependency[];
}

async function graphOf(entry: string): Promise<Module[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: root,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)).modules;
}

/** What JSR does not take, of a module graph. */
function refused(modules: readonly Module[]): string[] {
  return modules.flatMap(({ specifier, kind, mediaType, dependencies = [] }) => {
    const found = dependencies
      .filter(({ assertionType }) => assertionType !== undefined && assertionType !== "json")
      .map((it) => `${specifier} imports ${it.specifier} as ${it.assertionType}`);
    if (!/^(?:file|npm|node|jsr):|^https:\/\/jsr\.io\//.test(specifier)) {
      found.push(`${specifier} comes from elsewhere`);
    }
    if (
      kind === "asset" ||
      (kind === "esm" && !/^(?:TypeScript|JavaScript|Dts|Json)$/.test(mediaType!))
    ) {
      found.push(`${specifier} is no module but ${mediaType ?? kind}`);
    }
    return found;
  });
}

Deno.test("published: no export imports anything but modules and JSON", async () => {
  for (const entry of entryPoints) {
    const modules = await graphOf(entry);
    assert(modules.length > 10, entry);
    assertEquals(refused(modules), [], entry);
  }
});

Deno.test("published: an import of text or bytes would be seen", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "a.txt"), "text");
    for (const type of ["text", "bytes"]) {
      const path = join(folder, `${type}.ts`);
      await Deno.writeTextFile(path, `import a from "./a.txt" with { type: "${type}" };\na;\n`);
      assert(refused(await graphOf(path)).length > 0, type);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("published: no module asks for a file beside it, which is not there where it was published", async () => {
  const found: string[] = [];
  const modules = [...rooms.flatMap((room) => filesBelow(room, ".ts")), "mod.ts"];
  for (const path of modules.filter((it) => !it.endsWith(".wgsl.ts"))) {
    const text = await Deno.readTextFile(join(root, path));
    const used = /import\.meta\.(?!main\b)\w+|(?<![.\w])import\((?!["'])/.exec(text);
    if (used) found.push(`${path} uses ${used[0]}`);
  }
  assertEquals(found, []);
});

Deno.test("published: files are those of the rooms, and every export is among them", () => {
  assertEquals(
    config.publish.include.filter((it: string) => it.includes("*")),
    rooms.map((room) => `${room}/**/*.ts`),
  );
  for (const entry of entryPoints) {
    const [room] = entry.slice(2).split("/");
    assert(rooms.includes(room) || config.publish.include.includes(room), entry);
  }
});

Deno.test("published: names differ in more than case, and the package is far below 20 MB", () => {
  const names = [...rooms.flatMap((room) => filesBelow(room, ".ts")), "mod.ts"];
  assertEquals(new Set(names.map((name) => name.toLowerCase())).size, names.length);
  const bytes = names.reduce((sum, name) => sum + Deno.statSync(join(root, name)).size, 0);
  assert(bytes < 5e6, `${bytes} bytes`);
});

Deno.test("published: without the stand-ins nothing is left of them in the configuration", async () => {
  const bare = await withStandIns(config, "none");
  assertEquals(["workspace", "links"].filter((key) => key in bare), []);
  assertEquals(bare.imports, config.imports);
  const within = await withStandIns(config, "within");
  assertEquals(Object.keys(within.imports).filter((name) => name.startsWith("@std/")), []);
  assertEquals(
    withPaths("a/b/c.ts", 'import { x } from "@std/cli";\n * import { y } from "@std/path";\n'),
    'import { x } from "../../links/cli/mod.ts";\n * import { y } from "@std/path";\n',
  );
  assertEquals(withPaths("mod.ts", '} from "@std/yaml";'), '} from "./links/yaml/mod.ts";');
});

Deno.test("published: README has an example of the library", async () => {
  const text = await Deno.readTextFile(join(root, "README.md"));
  const examples = [...text.matchAll(/^```ts\b[\s\S]*?^```/gm)].map(([code]) => code);
  const example = new RegExp(`from "(?:jsr:)?${config.name}"`);
  assert(examples.some((code) => example.test(code)), "no example of the library");
});

Deno.test("published: public functions and interfaces name no type of Deno's, which npm's form has not", async () => {
  const found: string[] = [];
  for (const path of [...rooms.flatMap((room) => filesBelow(room, ".ts")), "mod.ts"]) {
    const text = await Deno.readTextFile(join(root, path));
    for (
      const [line] of text.matchAll(
        /^export (?:async )?(?:function|type|const) .*[:<|] ?Deno\.\w+.*$/gm,
      )
    ) {
      found.push(`${path}: ${line}`);
    }
  }
  assertEquals(found, []);
});
