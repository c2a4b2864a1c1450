/**
 * `qzo evaluate` of the built-in tasks, as a user calls it: metrics, written answers, demonstrations, published sizes.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";
import { withFiles } from "../../models/quantised_folder.ts";

const model = fromFileUrl(new URL("../../../demo/model.gguf", import.meta.url));

async function qzo(...args: string[]) {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, printed: terminal.printed, noted: terminal.noted };
}

const multirc = JSON.stringify({
  passage: {
    text: "Ann ate soup.",
    questions: [{
      question: "What?",
      answers: [{ text: "Soup", label: 1 }, { text: "Bread", label: 0 }, { text: "It", label: 1 }],
    }],
  },
});
const squad = JSON.stringify({
  version: "1.1",
  data: [{
    title: "Lunch",
    paragraphs: [{
      context: "The soup was good.",
      qas: [{ question: "How was it?", answers: [{ text: "good" }] }, {
        question: "What was good?",
        answers: [{ text: "The soup" }, { text: "soup" }],
      }],
    }],
  }],
});
const drop = JSON.stringify({
  one: {
    passage: "Ann ran 10 yards.",
    qa_pairs: [{ question: "How far?", answer: { number: "10", date: {}, spans: [] } }],
  },
});
const films = (count: number, word: string) =>
  Array.from(
    { length: count },
    (_, i) => `${i % 2} the ${word} ${i} was ${i % 2 ? "a joy" : "bad"}`,
  )
    .join("\n");

Deno.test("evaluate: the metrics of each task are printed, written answers are compared", async () => {
  await withFiles(
    { "val.jsonl": multirc, "dev-v1.1.json": squad, "drop_dataset_dev.json": drop },
    async (folder) => {
      const on = ["--model", model, "--data", folder, "--max-length", "100"];
      const choosing = await qzo("evaluate", ...on, "--task", "multirc");
      assertEquals(choosing.code, 0, choosing.noted);
      for (const line of [/^task +multirc, 3 validation/m, /^F1a +\d/m, /^questions +(100|0)/m]) {
        assertMatch(choosing.printed, line);
      }
      assertMatch(choosing.printed, /^loss .* nats per example$/m);
      const json = await qzo("evaluate", ...on, "--task", "multirc/harness", "--json");
      assertEquals(Object.keys(JSON.parse(json.printed).metrics), [
        "accuracy",
        "f1a",
        "questionMatch",
      ]);
      const written = await qzo("evaluate", ...on, "--task", "squad", "--max-tokens", "3");
      assertEquals(written.code, 0, written.noted);
      assertMatch(written.printed, /^loss .* nats per token$/m);
      assertMatch(written.printed, /^F1 +\d/m);
      assertMatch(written.printed, /^exact +\d/m);
      assert(!/accuracy|majority|perplexity/.test(written.printed), written.printed);
      const loss = await qzo("evaluate", ...on, "--task", "squad", "--loss-only", "--json");
      const { metrics, loss: nats } = JSON.parse(loss.printed);
      assertEquals(metrics, undefined);
      assert(nats > 0);
      const numbers = await qzo("evaluate", ...on, "--task", "drop", "--max-tokens", "2", "--json");
      assertEquals(Object.keys(JSON.parse(numbers.printed).metrics), [
        "f1",
        "exactMatch",
        "dropF1",
        "dropExactMatch",
      ]);
    },
  );
});

Deno.test("evaluate --shots: demonstrations by the seed; what they need is said", async () => {
  const files = { "stsa.binary.train": films(40, "meal"), "stsa.binary.dev": films(6, "room") };
  await withFiles(files, async (folder) => {
    const on = ["evaluate", "--model", model, "--data", folder, "--task", "sst2", "--json"];
    const lossOf = async (...args: string[]): Promise<number> => {
      const { code, noted, printed } = await qzo(...on, ...args);
      assertEquals(code, 0, noted);
      return JSON.parse(printed).loss;
    };
    const none = await lossOf();
    const two = await lossOf("--shots", "2");
    assertEquals(await lossOf("--shots", "2"), two);
    assertEquals(await lossOf("--shots", "0"), none);
    const losses = [none, two, await lossOf("--shots", "2", "--seed", "1")];
    losses.push(await lossOf("--shots", "2", "--same-shots"));
    assertEquals(new Set(losses).size, 4, losses.join());
    const many = await qzo(...on, "--shots", "32");
    assertStringIncludes(
      many.noted,
      "6 of 6 examples are longer than the model's 128 positions and lost the first of their demonstrations",
    );
    assertEquals(JSON.parse(many.printed).task, "sst2 with 32 demonstrations");
    const refused = [
      [[...on, "--shots", "40"], 'Cannot show 40 demonstrations: "stsa.binary.train" has 40'],
      [[...on, "--same-shots"], "Cannot use --same-shots without --shots"],
      [[...on, "--shots", "-1"], "--shots"],
      [
        [...on.slice(0, 5), "--data.train", "stsa.binary.train", "--task.format", "lines"]
          .concat("--shots", "1"),
        "Cannot show demonstrations of",
      ],
    ] as const;
    for (const [args, message] of refused) {
      const { code, noted } = await qzo(...args);
      assert(code !== 0, args.join(" "));
      assertStringIncludes(noted, message);
    }
    await Deno.remove(join(folder, "stsa.binary.train"));
    const { noted } = await qzo(...on, "--shots", "2");
    assertStringIncludes(noted, "stsa.binary.train");
  });
});

Deno.test("finetune --task.protocol mezo: the run has the published sizes, and goes on with them", async () => {
  const files = {
    "stsa.binary.train": films(60, "meal"),
    "stsa.binary.dev": films(6, "room"),
  };
  await withFiles(files, async (folder) => {
    const args = ["--model", model, "--data", folder, "--task", "sst2", "--task.protocol", "mezo"];
    args.push(
      "--data.validation-limit",
      "20",
      "--output",
      join(folder, "run"),
      "--batch-size",
      "4",
    );
    args.push("--trainables.kinds", "norms", "--evaluate-every", "0");
    const made = await qzo("finetune", ...args, "--steps", "2");
    assertEquals(made.code, 0, made.noted);
    assertStringIncludes(
      made.noted,
      'task.protocol mezo: 40 examples are trained on, 20 are held out of the training file, 6 of "stsa.binary.dev" are the test',
    );
    assertMatch(made.printed, /^test after /m);
    const on = await qzo("finetune", join(folder, "run"), "--resume", "--steps", "3");
    assertEquals(on.code, 0, on.noted);
    const judged = await qzo("evaluate", join(folder, "run"), "--split", "test", "--step", "last");
    assertEquals(judged.code, 0, judged.noted);
    assertMatch(judged.printed, /6 test examples/);
  });
});
