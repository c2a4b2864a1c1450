import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { JSON_BOUNDS } from "../../quant/mod.ts";
import { root } from "./module_graph.ts";

const document = await Deno.readTextFile(join(root, "docs/security.md"));

Deno.test("security document: every limit is the code's", async () => {
  const rows = [...document.matchAll(/^\|.*\| ([^|]+) \| `([\w/]+\.ts)` `(\w+)` \|$/gm)];
  assert(rows.length > 25, `${rows.length} rows`);
  const wrong: string[] = [];
  for (const [, number, path, name] of rows) {
    const code = await Deno.readTextFile(join(root, path));
    const found = new RegExp(`^(?:export )?const ${name}(?:: number)? = ([^;]+);`, "m").exec(code);
    if (found?.[1] !== number) wrong.push(`${path} ${name}: ${found?.[1]}, not ${number}`);
  }
  assertEquals(wrong, []);
});

Deno.test("security document: bounds of JSON are the code's", () => {
  const rows = [...document.matchAll(/^\| `(\w+)` \|((?: \d+ \|){5})$/gm)];
  assertEquals(
    rows.map(([, kind, numbers]) => [kind, ...numbers.match(/\d+/g)!.map(Number)]),
    Object.entries(JSON_BOUNDS).map(([kind, { depth, objects, lists, keys, values }]) => [
      ...[kind, depth, objects, lists, keys, values],
    ]),
  );
});

Deno.test("security document: every file that it names is there", async () => {
  const paths = new Set(
    [...document.matchAll(/`([\w/]+\/[\w/]+\.(?:ts|md))`/g)].map(([, it]) => it),
  );
  assert(paths.size > 30);
  const missing: string[] = [];
  for (const path of paths) {
    if (!await Deno.stat(join(root, path)).then(() => true, () => false)) missing.push(path);
  }
  assertEquals(missing, []);
});
