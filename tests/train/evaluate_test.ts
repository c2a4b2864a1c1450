/**
 * Evaluation against the f64 oracle, with and without a fine-tune, in batches of any size.
 */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import type { OffsetSet } from "../../kernels/mod.ts";
import { type Example, loadModel, type ModelSource } from "../../models/mod.ts";
import { type Optimiser, qzo, qzoNormalised } from "../../optim/mod.ts";
import { evaluate, replayLedger } from "../../train/mod.ts";
import { effectiveWeights } from "../reference/effective_weights.ts";
import { llamaLogits } from "../reference/llama.ts";
import {
  candidateScore,
  classificationLoss,
  languageModellingLoss,
  type ScoredExample,
} from "../reference/losses.ts";
import { targetLogProbabilities } from "../reference/softmax_nll.ts";
import { caseLedger } from "../robustness/replay_cases.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { allKinds, allScales, tinyShape, tinySource } from "./tiny_model.ts";

const random = randomNumbers(8);
const below = (count: number): number => Math.floor(random() * count);
const tokens = (count: number): number[] =>
  Array.from({ length: count }, () => below(tinyShape.vocabulary));

/** Two to four candidates of unlike lengths behind prompts of unlike lengths. */
const classification: Example[] = Array.from({ length: 23 }, () => {
  const candidates = Array.from({ length: 2 + below(3) }, () => tokens(1 + below(3)));
  return { prompt: tokens(1 + below(9)), candidates, label: below(candidates.length) };
});

/** With and without a context that has no loss. */
const text: Example[] = Array.from({ length: 17 }, (_, i) => ({
  prompt: i % 2 ? tokens(1 + below(5)) : [],
  candidates: [tokens(2 + below(12))],
  label: 0,
}));

/** Dense weights as a fine-tune leaves them. */
async function tunedWeights(
  source: ModelSource,
  tuned: ReadonlyMap<string, Float32Array>,
  set: OffsetSet | undefined,
): Promise<Record<string, Float64Array>> {
  const weights: Record<string, Float64Array> = {};
  for (const [name, tensor] of source.tensors) {
    const packed = await tensor.read(0, tensor.rows);
    const trainable = set?.trainable(name);
    weights[name] = trainable
      ? effectiveWeights(packed, tuned.get(name)!, trainable.form, trainable.span)
      : effectiveWeights(packed);
  }
  return weights;
}

/** The log-probabilities of every candidate's tokens. */
function scored(weights: Record<string, Float64Array>, example: Example): ScoredExample {
  const { prompt, candidates, label } = example;
  const logProbabilities = candidates.map((candidate) => {
    const sequence = [...prompt, ...candidate];
    const logits = llamaLogits(tinyShape, weights, sequence.slice(0, -1));
    const first = Math.max(0, prompt.length - 1);
    return targetLogProbabilities(
      logits.subarray(first * tinyShape.vocabulary),
      tinyShape.vocabulary,
      sequence.slice(first + 1),
    );
  });
  return { candidates: logProbabilities, label };
}

const fineTunes: readonly (readonly [string, Optimiser | undefined])[] = [
  ["the base", undefined],
  ["relative offsets", qzoNormalised()],
  ["absolute offsets, norms too", qzo()],
];

for (const [name, optimiser] of fineTunes) {
  Deno.test(`evaluate: ${name}: the oracle's losses and predictions, whatever the batch`, async () => {
    using gpu = await openSharedGpu();
    const source = await tinySource();
    using model = await loadModel(gpu, source);
    const replayCase = optimiser && {
      name,
      format: "Q4_0",
      optimiser,
      selection: optimiser.form === "absolute" ? allKinds : allScales,
      reach: optimiser.form === "absolute" ? 0.02 : 0.2,
      steps: 20,
    };
    using offsets = replayCase && await replayLedger(model, await caseLedger(replayCase, source));
    const tuned = offsets ? await offsets.read(gpu) : new Map<string, Float32Array>();
    const weights = await tunedWeights(source, tuned, offsets);

    const examples = classification.map((example) => scored(weights, example));
    const expected = classificationLoss(examples);
    const scores = examples.map(({ candidates }) => candidates.map(candidateScore));
    const right = scores.map((all) => all.indexOf(Math.max(...all)));
    const chunks = text.flatMap((example) => Array.from(scored(weights, example).candidates[0]));
    const perToken = languageModellingLoss(chunks);

    for (const batchSize of [1, 4, 23, undefined]) {
      const progress: number[] = [];
      const found = await evaluate(model, classification, {
        objective: "classification",
        offsets,
        ...(batchSize ? { batchSize } : {}),
        onProgress: (done, total) => {
          assertEquals(total, 23);
          progress.push(done);
        },
      });
      assertAlmostEquals(found.loss, expected, 2e-6 * Math.abs(expected));
      assertEquals(found.predictions, right);
      const correct = right.filter((it, i) => it === classification[i].label).length;
      assertEquals([found.accuracy?.correct, found.accuracy?.count], [correct, 23]);
      assertEquals([found.examples, progress.at(-1)], [23, 23]);
      const modelling = await evaluate(model, text, {
        objective: "language-modelling",
        offsets,
        ...(batchSize ? { batchSize } : {}),
      });
      assertAlmostEquals(modelling.loss, perToken, 2e-6 * perToken);
      assertEquals(modelling.accuracy, undefined);
    }
  });
}

Deno.test("evaluate: refuses nothing at all, an overlong example, a loss that is not finite; stops when told", async () => {
  using gpu = await openSharedGpu();
  const source = await tinySource();
  using model = await loadModel(gpu, source);
  const objective = "classification";
  await assertRejects(() => evaluate(model, [], { objective }), RangeError, "no examples");
  const long = { prompt: tokens(40), candidates: [[1], [2]], label: 0 };
  await assertRejects(() => evaluate(model, [long], { objective }), RangeError, "41 tokens");
  await assertRejects(
    () => evaluate(model, classification, { objective, signal: AbortSignal.abort() }),
    DOMException,
  );
  const before = gpu.memory.total;
  const optimiser = qzo();
  const huge = {
    name: "huge",
    format: "Q4_0",
    optimiser,
    selection: allScales,
    reach: 1e38,
    steps: 1,
  };
  {
    using offsets = await replayLedger(model, await caseLedger(huge, source));
    await assertRejects(
      () => evaluate(model, classification, { objective, offsets }),
      RangeError,
      "the loss over 23 examples is",
    );
  }
  assertEquals(gpu.memory.total, before);
  assert((await evaluate(model, classification, { objective })).loss > 0);
});
