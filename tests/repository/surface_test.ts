/**
 * What the package shows: every entry lists its names, the README's script has no name that its entry lacks, and functions and classes have examples.
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

Deno.test("surface: every function and class has an example that runs", async () => {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...Object.values<string>(exports)],
    cwd: root,
    stderr: "null",
  }).output();
  assert(success);
  const { nodes }: { nodes: Record<string, { symbols: DocumentedSymbol[] }> } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  const symbols = Object.values(nodes).flatMap((entry) => entry.symbols);
  const calls = symbols.filter(({ declarations: [{ kind }] }) =>
    ["function", "class"].includes(kind)
  );
  assert(calls.length > 300, `${calls.length} functions and classes found`);
  const without = calls.filter(({ declarations }) =>
    !declarations.some(({ jsDoc }) =>
      jsDoc?.tags?.some(({ kind, doc = "" }) => kind === "example" && /```ts *\n/.test(doc))
    )
  );
  assertEquals(
    without.map(({ name, declarations: [{ location }] }) => `${name} in ${location.filename}`),
    [],
  );
});

/** A public name, as `deno doc --json` describes it. */
interface DocumentedSymbol {
  readonly name: string;
  readonly declarations: readonly {
    readonly kind: string;
    readonly location: { readonly filename: string };
    readonly jsDoc?: {
      readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
    };
  }[];
}
