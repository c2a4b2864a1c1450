import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  findingLines,
  findings,
  type Result,
  tables,
  type Tuned,
} from "../../bench/support/quality_report.ts";
import { qualityFormats } from "../../bench/support/quality_rows.ts";
import { FORMATS } from "../../quant/mod.ts";
import { sameLayout } from "../../quant/layouts/planes.ts";
import { root } from "./module_graph.ts";

function result(format: string, method: string, after: number, bits = 2.5): Result {
  return {
    model: "m",
    format,
    method,
    bits,
    before: 1,
    after,
    error: 0.01,
    heldOut: 64,
    seconds: 1,
    adapter: "none",
    date: "2026-01-01",
  };
}

const lines = async <T>(name: string): Promise<T[]> =>
  (await Deno.readTextFile(join(root, "bench/results", name))).trim().split("\n")
    .map((line) => JSON.parse(line));

Deno.test("quality: what is worse by more than its error is a violation, by less a tie", () => {
  const [gptq, same, two, comparable] = findings([
    result("int2_g32", "rtn", 2),
    result("int2_g32", "gptq", 2.03),
    result("Q4_0", "rtn", 1.2, 4.5),
    result("Q4_0", "gptq", 1.21, 4.5),
    result("int3_g32", "rtn", 1.4, 3.5),
    result("int3_g32", "gptq", 1.3, 3.5),
    result("codebook1x8", "rtn", 3, 1.2),
    result("codebook1x8", "codebook", 2.9, 1.2),
    result("codebook2x8", "rtn", 2.4, 2.7),
    result("codebook2x8", "codebook", 2.1, 2.7),
  ]);
  assertEquals([gptq.pairs, gptq.held], [3, 1]);
  assertEquals(gptq.ties.length, 1);
  assert(gptq.ties[0].startsWith("m Q4_0 gptq"));
  assert(gptq.violations[0].startsWith("m int2_g32 gptq"));
  assertEquals([same.pairs, same.held, same.violations], [2, 2, []]);
  for (const { pairs, violations } of [two, comparable]) {
    assertEquals(pairs, 1);
    assert(violations[0].startsWith("m codebook2x8 codebook"));
  }
});

Deno.test("quality: every type of GGUF that can be quantised to is measured, no layout twice", () => {
  const measured = qualityFormats();
  for (const { name, gguf, layout } of FORMATS) {
    if (!gguf || layout.kind === "dense") continue;
    assert(measured.some((format) => sameLayout(format.layout, layout)), name);
  }
  for (const [i, { layout }] of measured.entries()) {
    assert(!measured.slice(0, i).some((other) => sameLayout(other.layout, layout)));
  }
});

Deno.test("quality: the results hold what has to be true, and the tables are theirs", async () => {
  const results = await lines<Result>("quality.jsonl");
  const found = findings(results);
  for (const { statement, pairs, violations } of found) {
    assert(pairs > 0, statement);
    assertEquals(violations, [], statement);
  }
  const text = await Deno.readTextFile(join(root, "bench/results/quality.md"));
  assert(text.includes(tables(results, await lines<Tuned>("quality_qzo.jsonl"))));
  assert(text.includes(findingLines(found)));
});
