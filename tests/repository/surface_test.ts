/**
 * What the package shows: every entry lists its names, and the README's script has no name that its entry lacks.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { root } from "./module_graph.ts";

const { exports } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));

Deno.test("surface: entries list what they show", async () => {
  const whole: string[] = [];
  for (const entry of Object.values<string>(exports)) {
    const text = await Deno.readTextFile(join(root, entry));
    if (/^export \*/m.test(text)) whole.push(entry);
  }
  assertEquals(whole, []);
});

Deno.test("surface: no script of ours asks a device for the size of a binding", async () => {
  const entry = await Deno.readTextFile(join(root, "mod.ts"));
  for (
    const path of [
      "README.md",
      "mod.ts",
      "examples/finetune.ts",
      "examples/demo.ts",
      "examples/notebook.ipynb",
    ]
  ) {
    const text = await Deno.readTextFile(join(root, path));
    assert(!text.includes("maxBinding"), path);
    for (const [, name] of text.matchAll(/\bqzo\.([a-zA-Z]\w*)\(/g)) {
      assert(new RegExp(`\\b${name}\\b`).test(entry), `${path}: qzo.${name}`);
    }
  }
});
