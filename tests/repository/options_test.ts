/**
 * Options of what the main entry exports: their types are exported beside, and formats are a type that editors complete.
 */
import { assert, assertEquals } from "@std/assert";
import { formatByName, type FormatName, FORMATS } from "../../quant/mod.ts";

interface Entry {
  readonly name: string;
  readonly declarations: readonly { readonly kind: string; readonly def: unknown }[];
}

/** The symbols that `deno doc` finds in an entry. */
async function symbols(entry: string): Promise<readonly Entry[]> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", entry],
    cwd: new URL("../..", import.meta.url),
    stderr: "piped",
  }).output();
  assert(stdout.length > 0, new TextDecoder().decode(stderr));
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout));
  return Object.values(nodes as Record<string, { symbols: Entry[] }>)[0].symbols;
}

/** The names of types in the description of a parameter. */
function typeNames(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "typeName" && typeof inner === "string" ? [inner] : typeNames(inner)
  );
}

/** The parameters of functions, constructors and methods. */
function parameters(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "params" ? [inner] : parameters(inner)
  );
}

Deno.test("options: the main entry exports the type of every option that its functions take", async () => {
  const all = await symbols("mod.ts");
  const exported = new Set(all.map(({ name }) => name));
  const callable = all.filter(({ declarations }) =>
    declarations.some(({ kind }) => kind === "function" || kind === "class")
  );
  assert(callable.length > 30);
  const wanted = callable.flatMap(({ declarations }) =>
    typeNames(parameters(declarations)).filter((name) => /(Options|Selection)$/.test(name))
  );
  assert(wanted.includes("GenerateOptions") && wanted.includes("FinetuneOptions"));
  assertEquals([...new Set(wanted)].filter((name) => !exported.has(name)), []);
});

Deno.test("options: the type of format names has the names of the table, and takes others", async () => {
  const other: FormatName = "codebook4x8";
  assert(formatByName(other).layout.kind === "codebook");
  // What the type says is asked of the compiler.
  const names = FORMATS.map(({ name }) => JSON.stringify(name));
  const text = `import type { KnownFormatName } from ${
    JSON.stringify(new URL("../../quant/mod.ts", import.meta.url).href)
  };
type Table = ${names.join(" | ")};
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
export const same: Same<KnownFormatName, Table> = true;
`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, text);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "check",
        "--quiet",
        "--config",
        new URL("../../deno.json", import.meta.url).pathname,
        file,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(file);
  }
});
