/**
 * What tasks report of a model: by choosing, by writing, and as an objective of the host.
 */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { type Example, generate, loadModel, openModelSource } from "../../models/mod.ts";
import { qzoNormalised } from "../../optim/mod.ts";
import { builtInTask, readTask, type RenderedExample, tokenF1 } from "../../tasks/mod.ts";
import { tokeniseExample } from "../../tasks/tokenise.ts";
import {
  evaluate,
  evaluateTask,
  finetuneByFunction,
  metricObjective,
  planOffsets,
} from "../../train/mod.ts";
import { openSharedGpu } from "../kernels/one_device.ts";

const gpu = await openSharedGpu();
const source = await openModelSource("demo/model.gguf");
const model = await loadModel(gpu, source);
Deno.test.afterAll(() => {
  for (const owned of [model, source, gpu]) owned[Symbol.dispose]();
});
const tokenizer = model.tokenizer!;
const made = (rows: readonly RenderedExample[], room = 0) => ({
  examples: rows.map((row) => tokeniseExample(tokenizer, row, { maximumLength: 128, room })),
  references: rows.map(({ reference }) => reference),
});

const record = readTask(
  builtInTask("record"),
  JSON.stringify({
    passage: {
      text: "The food and the staff were great, the room was not.",
      entities: [{ start: 4, end: 7 }, { start: 17, end: 21 }, { start: 39, end: 42 }],
    },
    qas: [
      { query: "We liked the @placeholder.", answers: [{ text: "food" }, { text: "staff" }] },
      { query: "The @placeholder was bad.", answers: [{ text: "room" }] },
    ],
  }),
);

Deno.test("several right candidates count, and what was chosen is compared by its entity", async () => {
  const set = made(record);
  assertEquals(set.examples.map(({ right }) => right), [[0, 2], [1]]);
  const task = builtInTask("record");
  const found = await evaluateTask(model, set, { task, objective: "classification" });
  const right = found.predictions.map((one, i) => Number(set.examples[i].right!.includes(one)));
  const share = (right[0] + right[1]) / 2;
  assertEquals([found.metrics.accuracy, found.accuracy?.accuracy], [share, share]);
  assertEquals(found.metrics.exactMatch, share);
  // Whatever is chosen is right where all are.
  const all = set.examples.map((example) => ({ ...example, right: [0, 1, 2] }));
  const easy = await evaluate(model, all, { objective: "classification" });
  assertEquals(easy.accuracy?.accuracy, 1);
  assertEquals(easy.predictions, found.predictions);
});

Deno.test("the sum of log-probabilities prefers what is short, the mean does not", async () => {
  const [example] = made([
    { prompt: "It was", candidates: [" a joy", " a waste of money and of time"], label: 0 },
  ]).examples;
  const bySum = await evaluate(model, [example], { objective: "classification", score: "sum" });
  const scores: number[] = [];
  for (const candidate of example.candidates) {
    const one: Example = { ...example, candidates: [candidate], label: 0 };
    scores.push(-(await evaluate(model, [one], { objective: "language-modelling" })).loss);
  }
  const sums = scores.map((score, i) => score * example.candidates[i].length);
  assertEquals(bySum.predictions[0], sums[1] > sums[0] ? 1 : 0);
  // Ten times the same token costs ten times as much, at the same mean.
  const [good] = tokenizer.encode(" good", { addSpecial: false });
  const long: Example = {
    prompt: example.prompt,
    candidates: [[good], new Array(12).fill(good)],
    label: 0,
  };
  const chosen = async (score: "mean" | "sum") =>
    (await evaluate(model, [long], { objective: "classification", score })).predictions[0];
  assertEquals(await chosen("sum"), 0);
  const mean = await chosen("mean");
  const each: number[] = [];
  for (const candidate of long.candidates) {
    const one: Example = { ...long, candidates: [candidate], label: 0 };
    each.push(-(await evaluate(model, [one], { objective: "language-modelling" })).loss);
  }
  assertEquals(mean, each[1] > each[0] ? 1 : 0);
});

const squad = readTask(
  builtInTask("squad"),
  JSON.stringify({
    data: [{
      title: "Lunch",
      paragraphs: [{
        context: "The soup was good. It was a joy.",
        qas: [
          { question: "How was the soup?", answers: [{ text: "good" }] },
          { question: "What was it?", answers: [{ text: "a joy" }, { text: "joy" }] },
        ],
      }],
    }],
  }),
);

Deno.test("written answers are the likeliest tokens up to a line feed, compared by F1", async () => {
  const set = made(squad, 20);
  const task = builtInTask("squad");
  const options = { task, objective: "language-modelling", maxTokens: 8 } as const;
  const found = await evaluateTask(model, set, options);
  const texts: string[] = [];
  for (const { prompt } of set.examples) {
    let text = "";
    for await (const token of generate(model, prompt, { maxTokens: 8 })) text += token.text;
    texts.push(text.split("\n")[0].trim());
  }
  assertEquals(found.texts, texts);
  const f1 = texts.map((text, i) => tokenF1(text, set.references[i]!.answers!));
  assertEquals(found.metrics.f1, (f1[0] + f1[1]) / 2);
  assertEquals(Object.keys(found.metrics), ["f1", "exactMatch"]);
  // The loss is of the first answer's tokens alone.
  const alone = await evaluate(model, set.examples, { objective: "language-modelling" });
  assertEquals(found.loss, alone.loss);
  // What the model itself writes is a perfect answer to compare with, and stops where it says.
  const own = { ...set, references: texts.map((text) => ({ answers: [text] })) };
  const perfect = await evaluateTask(model, own, options);
  assertEquals([perfect.metrics.f1, perfect.metrics.exactMatch], [1, 1]);
  const [word] = texts[0].split(" ").slice(1);
  assert(word !== undefined, texts[0]);
  const stopped = await evaluateTask(model, own, { ...options, task: { ...task, stop: [word] } });
  assertEquals(stopped.texts![0], texts[0].slice(0, texts[0].indexOf(word)).trim());
});

Deno.test("a metric as an objective: 1 less it, over the batch of the step, and it trains", async () => {
  const task = builtInTask("sst2");
  const lines = (await Deno.readTextFile("demo/reviews_train.jsonl")).trim().split("\n");
  const rows = lines.slice(0, 24).map((line) => {
    const { sentence, label } = JSON.parse(line);
    return `${label} ${sentence}`;
  });
  const set = made(readTask(task, rows.join("\n")));
  const optimiser = qzoNormalised({ learningRate: 0.05, epsilon: 0.1 });
  using offsets = planOffsets(model, optimiser, gpu.maxBinding, { kinds: ["norms"] }).allocate(gpu);
  const objective = metricObjective(model, set, { task, batchSize: 24, metric: "accuracy" });
  const whole = await evaluateTask(model, set, { task, objective: "classification" });
  assertAlmostEquals(await objective({ offsets, step: 0 }), 1 - whole.metrics.accuracy!, 1e-12);
  // Batches of one step are the same, those of an epoch are all examples.
  const small = metricObjective(model, set, { task, batchSize: 8 });
  const errors = [];
  for (let step = 0; step < 3; step++) errors.push(await small({ offsets, step }));
  assertEquals(await small({ offsets, step: 1 }), errors[1]);
  assertAlmostEquals(
    errors.reduce((sum, error) => sum + error, 0) / 3,
    1 - whole.metrics.accuracy!,
    1e-12,
  );
  let steps = 0;
  for await (
    const { losses } of finetuneByFunction({ model, optimiser, offsets, objective, steps: 2 })
  ) {
    for (const loss of losses) assert(Math.abs(loss * 24 - Math.round(loss * 24)) < 1e-9);
    steps++;
  }
  assertEquals(steps, 2);
  // Of written answers.
  const answers = made(squad, 20);
  const reading = metricObjective(model, answers, {
    task: builtInTask("squad"),
    batchSize: 2,
    maxTokens: 6,
  });
  const written = await evaluateTask(model, answers, {
    task: builtInTask("squad"),
    objective: "language-modelling",
    maxTokens: 6,
    offsets,
  });
  assertAlmostEquals(await reading({ offsets, step: 0 }), 1 - written.metrics.f1!, 1e-12);
  assertNotEquals(written.texts, undefined);
});
