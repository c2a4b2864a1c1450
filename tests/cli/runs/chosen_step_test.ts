/**
 * Which step of a run commands take, typed in another folder than the program's: they say it, and write no copy of the base.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openModelSource } from "../../../models/mod.ts";
import {
  evaluate,
  exportOffsets,
  openLedger,
  openRunSession,
  parseTrainConfig,
  replayLedger,
  taskExamples,
} from "../../../train/mod.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { exists } from "../../support/shared_data.ts";
import { writeTinyTask } from "../tiny_model.ts";
import { typed, typedAsProcess } from "../typed.ts";

/** A run's metrics with other evaluations than it made: step and loss. */
async function writeEvaluations(run: string, looks: readonly [number, number][]): Promise<void> {
  const path = join(run, "metrics.jsonl");
  const lines = (await Deno.readTextFile(path)).trimEnd().split("\n")
    .filter((line) => JSON.parse(line).type !== "evaluation");
  const made = looks.map(([step, loss]) =>
    JSON.stringify({
      type: "evaluation",
      step,
      loss,
      correct: 4,
      examples: 8,
      accuracy: 0.5,
      best: true,
    })
  );
  await Deno.writeTextFile(path, `${[...made, ...lines].join("\n")}\n`);
}

Deno.test("a run that was evaluated at step 0 alone: export and evaluate take the last step and say so", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    const trained = await typedAsProcess(folder, "finetune", "tiny.yaml", "--output", "mine");
    assertEquals(trained.code, 0, trained.noted);
    const run = join(folder, "mine");
    await writeEvaluations(run, [[0, 0.1]]);
    const note = "was evaluated only at step 0, which is the base model: its last step, 6, is used";
    const evaluated = await typed(folder, "evaluate", "mine");
    assertEquals(evaluated.code, 0, evaluated.noted);
    assertStringIncludes(evaluated.noted, note);
    assertStringIncludes(evaluated.out, "after 6 steps of");
    const exported = await typed(folder, "export", "mine", "--output", "six.gguf");
    assertEquals(exported.code, 0, exported.noted);
    assertStringIncludes(exported.noted, note);
    assertMatch(exported.out, /step +6 of 6, the last/);
    const last = await typed(folder, "export", "mine", "--output", "last.gguf", "--step", "last");
    assertEquals(last.noted.includes("0th"), false);
    assertEquals(
      await Deno.readFile(join(folder, "six.gguf")),
      await Deno.readFile(join(folder, "last.gguf")),
    );
    // Who asks for the best is told that there is none.
    const best = await typed(folder, "export", "mine", "--output", "best.gguf", "--step", "best");
    assertEquals(best.code, 1);
    assertStringIncludes(best.noted, "Use --step last for the last one");
  });
});

Deno.test("a run whose best step is the base: evaluate says so, an export is refused and writes nothing", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    await typed(folder, "finetune", "tiny.yaml", "--output", "mine");
    await writeEvaluations(join(folder, "mine"), [[0, 0.1], [3, 0.2], [6, 0.3]]);
    const evaluated = await typed(folder, "evaluate", "mine");
    assertStringIncludes(evaluated.out, "(the best of 3 evaluations)");
    assertStringIncludes(evaluated.out, "after 0 steps of");
    for (const step of [[], ["--step", "0"], ["--step", "best"]]) {
      const refused = await typed(folder, "export", "mine", "--output", "none.gguf", ...step);
      assertEquals(refused.code, 1);
      assertMatch(
        refused.noted,
        /Cannot export step 0.*it is the base model, so nothing would change/,
      );
      assertStringIncludes(refused.noted, "the last one with --step last");
    }
    assert(!exists(join(folder, "none.gguf")));
    const best = await typed(folder, "export", "mine", "--output", "three.gguf", "--step", "3");
    assertEquals(best.code, 0, best.noted);
    assertMatch(best.out, /step +3 of 6\n/);
  });
});

Deno.test("finetune --export of a run that never was better than the base writes no copy of it, and says how to have the last step", async () => {
  await withTemp(async (folder) => {
    const { config: yaml } = await writeTinyTask(folder);
    // What is held out has the base's own answers, what is trained on the others.
    const config = parseTrainConfig(await Deno.readTextFile(yaml), yaml);
    {
      using session = await openRunSession(config);
      const { train, objective } = await taskExamples(config, session.model.tokenizer!);
      const { predictions } = await evaluate(session.model, train.examples, { objective });
      const rows = (await Deno.readTextFile(join(folder, "train.jsonl"))).split("\n")
        .map((line) => JSON.parse(line));
      const write = (file: string, labelOf: (i: number) => number) =>
        Deno.writeTextFile(
          join(folder, file),
          rows.map(({ text }, i) => JSON.stringify({ text, label: labelOf(i) })).join("\n"),
        );
      await write("dev.jsonl", (i) => predictions[i]);
      await write("train.jsonl", (i) => 1 - predictions[i]);
    }
    const flags = ["--learning-rate", "0.5", "--output", "mine", "--export"];
    const { code, out, noted } = await typed(folder, "finetune", "tiny.yaml", ...flags);
    assertEquals(code, 0, noted);
    assertMatch(
      out,
      /model +not written, because no step was better than the base model: .* export mine --step last/,
    );
    assert(!exists(join(folder, "mine", "tuned.gguf")));
  });
});

Deno.test("what rounding swallows whole is refused before anything is written", async () => {
  await withTemp(async (folder) => {
    const { config: yaml } = await writeTinyTask(folder);
    await typed(folder, "finetune", "tiny.yaml", "--output", "mine", "--learning-rate", "1e-9");
    const config = parseTrainConfig(await Deno.readTextFile(yaml), yaml);
    using session = await openRunSession(config);
    const ledger = await openLedger(join(folder, "mine", "run.ledger"));
    using offsets = await replayLedger(session.model, ledger);
    const values = [...(await offsets.read(session.gpu)).values()];
    assert(values.some((of) => of.some((offset) => offset !== 0)));
    const refused = await typed(
      folder,
      "export",
      "mine",
      "--step",
      "last",
      "--output",
      "same.gguf",
    );
    assertEquals(refused.code, 1);
    assertStringIncludes(
      refused.noted,
      "nothing would change, because its formats store scales too coarsely",
    );
    assert(!exists(join(folder, "same.gguf")));
    // Who wants it all the same, by the library.
    const path = join(folder, "same.gguf");
    const report = await exportOffsets(session, offsets, path, { unchanged: "write" });
    assertEquals(report.changed, 0);
    using written = await openModelSource(path);
    assert(written.tensors.size > 3);
  });
});
