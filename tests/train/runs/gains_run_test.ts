import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  openLedger,
  openRunSession,
  parseTrainConfig,
  Run,
  runFolder,
  taskExamples,
} from "../../../train/mod.ts";
import { writeTinyTask } from "../../cli/tiny_model.ts";

Deno.test("a run by qzoPlus with gains, broken off and resumed, keeps its gains and ends with the same ledger", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { model } = await writeTinyTask(folder);
    const configOf = (output: string) =>
      parseTrainConfig(
        `model: ${model}
quantize: {format: int4_g32}
task: {name: tiny, template: "{text}{label}", labels: {"0": x, "1": y}}
data: {folder: ${folder}, train: train.jsonl, validation: dev.jsonl}
batch_size: 4
steps: 6
evaluate_every: 2
optimiser: {name: qzoPlus, queries: 4, gain_power: 0.5}
output: ${join(folder, output)}`,
        "a.yaml",
      );
    using session = await openRunSession(configOf("whole"));
    const { model: { tokenizer, maxPositions } } = session;
    const examples = await taskExamples(configOf("whole"), tokenizer!, { maxPositions });
    const train = async (output: string, resume: boolean, stopAt: number) => {
      const controller = new AbortController();
      const seen: string[] = [];
      using run = resume
        ? await Run.resume(configOf(output), { session, examples })
        : await Run.begin(configOf(output), {
          ...{ session, examples },
          onGains: (done, total) => seen.push(`${done} of ${total}`),
        });
      for await (const event of run.train(controller.signal)) {
        if (event.type === "step" && event.step === stopAt) controller.abort();
      }
      return seen;
    };
    assertEquals(await train("whole", false, Infinity), ["7 of 7"]);
    await train("parts", false, 2);
    const { ledger: path } = runFolder(join(folder, "parts"));
    assert((await openLedger(path)).records.length < 6, "it did not stop");
    assertEquals(await train("parts", true, Infinity), [], "looked again");
    const [whole, parts] = await Promise.all(
      ["whole", "parts"].map((name) => openLedger(runFolder(join(folder, name)).ledger)),
    );
    assertEquals(parts.header.trainables, whole.header.trainables);
    const gains = whole.header.trainables.map(({ gain }) => gain);
    assert(new Set(gains).size > 1, `gains ${gains} do not differ`);
    assertEquals(whole.records.length, 6);
    for (let i = 0; i < 6; i++) {
      assertEquals(parts.records.record(i), whole.records.record(i), `step ${i}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
