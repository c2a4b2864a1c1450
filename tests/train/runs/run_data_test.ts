/**
 * A run goes on with the data that it was begun with, and is judged by the same.
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import type { Example } from "../../../models/mod.ts";
import { readLedger } from "../../../optim/mod.ts";
import { parseTrainConfig, readMetrics, type TaskExamples } from "../../../train/mod.ts";
import { assertSameData, dataOfRun, otherDataNote } from "../../../train/runs/run_data.ts";
import { capture } from "../../cli/capture.ts";
import { runCli } from "../../cli/run_cli.ts";
import { writeTinyTask } from "../../cli/tiny_model.ts";

const examples = (count: number, from = 0): Example[] =>
  Array.from({ length: count }, (_, i) => ({
    prompt: [from + i],
    candidates: [[1], [2]],
    label: i % 2,
  }));
const set = (count: number, from = 0) => ({ examples: examples(count, from) });
const config = (yaml = "") =>
  parseTrainConfig(
    `model: a.gguf\ntask: sst2\ndata: {train: a.tsv, validation: b.tsv, test: c.tsv}\n${yaml}`,
    "t.yaml",
  );
const data: TaskExamples = {
  objective: "classification",
  train: set(8),
  validation: set(6, 10),
  test: set(4, 20),
};
const place = { path: "run.ledger", config: config() };

Deno.test("run data: the same data go on, other data are refused with the file's name", () => {
  const then = dataOfRun(config(), data);
  assertSameData(then, dataOfRun(config(), data), place);
  const refused = (now: TaskExamples, of = config(), ...words: string[]) => {
    for (const word of words) {
      assertThrows(() => assertSameData(then, dataOfRun(of, now), place), RangeError, word);
    }
  };
  refused(
    { ...data, train: set(8, 1) },
    config(),
    "training examples were others",
    'data.train "a.tsv"',
  );
  refused(
    { ...data, validation: set(8, 10) },
    config(),
    'data.validation "b.tsv"',
    "6 then, 8 now",
    "--output",
  );
  refused({ ...data, validation: set(6, 11) }, config(), "6 then, 6 now");
  refused({ ...data, test: set(4, 21) }, config(), 'data.test "c.tsv"');
  // Fewer of the same are others too.
  refused(data, config("evaluate_limit: 3"), "evaluate_limit");
  refused(data, config("batch_size: 3"), "batchSize 16, not 3");
  const { test: _, ...untested } = data;
  assertSameData(dataOfRun(config(), untested), then, place);
});

Deno.test("run data: what an older ledger does not remember is not compared", () => {
  const { validation: _, test: __, ...old } = dataOfRun(config(), data) as Record<string, never>;
  assertSameData(old, dataOfRun(config(), { ...data, validation: set(2), test: set(2) }), place);
  assertThrows(
    () => assertSameData(old, dataOfRun(config(), { ...data, train: set(7) }), place),
    RangeError,
    "training examples",
  );
  assertSameData(null, dataOfRun(config(), data), place);
  assertEquals(
    otherDataNote(old, examples(3), { split: "validation", config: config() }),
    undefined,
  );
});

Deno.test("run data: judging by other examples is noted", () => {
  const then = dataOfRun(config("evaluate_limit: 4"), data);
  const note = (of: readonly Example[], split: "validation" | "test") =>
    otherDataNote(then, of, { split, config: config("evaluate_limit: 4") });
  assertEquals(note(data.validation.examples, "validation"), undefined);
  assertEquals(note(data.test!.examples, "test"), undefined);
  assertStringIncludes(
    note(examples(6, 11), "validation") ?? "",
    "validation examples are not those",
  );
  assertStringIncludes(note(examples(3), "test") ?? "", "(4 then)");
});

Deno.test("a run whose validation file was changed is not resumed, and evaluating it says so", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { config } = await writeTinyTask(folder);
    const [run, dev] = [join(folder, "run"), join(folder, "dev.jsonl")];
    const qzo = async (...args: string[]) => {
      const terminal = capture();
      return { code: await runCli(args, { terminal }), noted: terminal.noted };
    };
    assertEquals((await qzo("finetune", config, "--steps", "2")).code, 0);
    const metrics = await Deno.readTextFile(join(run, "metrics.jsonl"));
    const rows = await Deno.readTextFile(dev);
    await Deno.writeTextFile(dev, rows.split("\n").slice(2).join("\n"));
    const refused = await qzo("finetune", run, "--resume", "--steps", "4");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.noted, 'data.validation "dev.jsonl"');
    assertStringIncludes(refused.noted, "8 then, 6 now");
    assertEquals(await Deno.readTextFile(join(run, "metrics.jsonl")), metrics);
    const judged = await qzo("evaluate", run);
    assertEquals(judged.code, 0, judged.noted);
    assertStringIncludes(judged.noted, "note: the validation examples are not those");
    // With the file back it goes on, and both figures are of its rows.
    await Deno.writeTextFile(dev, rows);
    const resumed = await qzo("finetune", run, "--resume", "--steps", "4");
    assertEquals(resumed.code, 0, resumed.noted);
    assert(!(await qzo("evaluate", run)).noted.includes("not those"));
    const evaluated = (await readMetrics(join(run, "metrics.jsonl"))).flatMap((event) =>
      event.type === "evaluation" ? [event.examples] : []
    );
    assertEquals(new Set(evaluated), new Set([8]));
    const { header } = readLedger(await Deno.readFile(join(run, "run.ledger")));
    assertEquals(Object.keys(header.data as object), [
      "task",
      "objective",
      "batchSize",
      "examples",
      "sha256",
      "validation",
      "leftOver",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
