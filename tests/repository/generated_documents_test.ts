import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { namedOptimisers, optimiserNames } from "../../optim/mod.ts";
import { BLOCKS, DOCUMENTS, withBlocks } from "../../scripts/documents.ts";
import { root } from "./module_graph.ts";

Deno.test("documents: parts made from tables are current (deno task documents)", async () => {
  const found = new Set<string>();
  for (const document of DOCUMENTS) {
    const text = await Deno.readTextFile(join(root, document));
    for (const [, name] of text.matchAll(/<!-- begin ([\w ]+) -->/g)) found.add(name);
    assertEquals(text, withBlocks(text), document);
  }
  assertEquals([...found].toSorted(), Object.keys(BLOCKS).toSorted());
});

Deno.test("documents: every optimiser and every option of it is in the table", async () => {
  const text = await Deno.readTextFile(join(root, "docs/optimisers.md"));
  assert(optimiserNames.length > 20);
  for (const name of optimiserNames) {
    const [, part] = text.split(`\n### ${name}\n`);
    const own = part.split("\n### ")[0];
    for (const [option, { doc }] of Object.entries(namedOptimisers[name].options)) {
      assertStringIncludes(own, `| \`${option}\` | ${doc} |`);
    }
  }
});
