/**
 * Scores of candidates against a computation that shares no code with the library: `tests/fixtures/task_scores/score_tasks.py`, which has its own
 * readers of models and data, its own tokenizer and prompts, and a forward in float64.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { loadModel, type Model, openModelSource, packBatch } from "../../models/mod.ts";
import { Evaluator } from "../../models/inference/evaluator.ts";
import { builtInTask, loadTask } from "../../tasks/mod.ts";
import { tokeniseExample } from "../../tasks/tokenise.ts";
import { evaluateTask } from "../../train/mod.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { exists, sharedData } from "../support/shared_data.ts";

const fixtures = fromFileUrl(new URL("../fixtures/task_scores/", import.meta.url));
const AT_ONCE = 8;

interface Scored {
  readonly index: number;
  readonly scores: readonly number[];
  readonly right: readonly number[];
}

type Vectors = Readonly<
  Record<string, { readonly file: string; readonly examples: readonly Scored[] }>
>;

const vectors = async (name: string): Promise<Vectors> =>
  JSON.parse(await Deno.readTextFile(join(fixtures, name)));

async function examplesOf(
  model: Model,
  name: string,
  folder: string,
  { file, examples }: Vectors[string],
) {
  const known = builtInTask(name);
  const format = file.endsWith(".jsonl") ? "jsonl" : known.format;
  const rows = await loadTask({ ...known, format, files: { dev: file } }, "dev", folder);
  const chosen = examples.map(({ index }) => rows[index]);
  return {
    examples: chosen.map((row) =>
      tokeniseExample(model.tokenizer!, row, { maximumLength: model.config.context })
    ),
    references: chosen.map(({ reference }) => reference),
  };
}

async function compare(
  modelPath: string,
  found: Vectors,
  folderOf: (task: string) => string,
  alsoWhole: boolean,
): Promise<void> {
  using gpu = await openSharedGpu();
  using source = await openModelSource(modelPath);
  using model = await loadModel(gpu, source);
  using evaluator = new Evaluator(model);
  let count = 0;
  let largest = 0;
  for (const [name, about] of Object.entries(found)) {
    const set = await examplesOf(model, name, folderOf(name), about);
    const correct = [];
    for (let first = 0; first < set.examples.length; first += AT_ONCE) {
      const some = set.examples.slice(first, first + AT_ONCE);
      const batch = packBatch(some, "classification", model.maxPositions);
      const [{ scores }] = await evaluator.run([batch]);
      let at = 0;
      for (const [i, { candidates, label, right = [label] }] of some.entries()) {
        const expected = about.examples[first + i];
        assertEquals([candidates.length, right], [expected.scores.length, expected.right], name);
        expected.scores.forEach((score, c) => {
          largest = Math.max(largest, Math.abs(scores[at + c] - score));
          assertAlmostEquals(scores[at + c], score, 1e-4, `${name}, example ${expected.index}`);
        });
        at += candidates.length;
        const best = expected.scores.indexOf(Math.max(...expected.scores));
        correct.push(expected.right.includes(best));
      }
    }
    count += correct.length;
    if (!alsoWhole) continue;
    const task = builtInTask(name);
    const { metrics } = await evaluateTask(model, set, { task, objective: "classification" });
    assertEquals(metrics.accuracy, correct.filter((it) => it).length / correct.length, name);
  }
  assertEquals([Object.keys(found).length, count], [5, 200]);
  assert(largest > 0);
}

Deno.test("200 examples of five tasks made here, on the bundled model: scores to 1e-4", async () => {
  await compare("demo/model.gguf", await vectors("own.json"), () => fixtures, true);
});
const folder = sharedData("models/reviews-4m");
Deno.test({
  name: `200 examples of five published tasks on reviews-4m: scores to 1e-4${
    exists(folder) ? "" : " (skipped, because ../shared/data is missing)"
  }`,
  ignore: !exists(folder),
  fn: async () => {
    await compare(
      folder,
      await vectors("shared.json"),
      (task) => sharedData(`tasks/${task}`),
      false,
    );
  },
});
