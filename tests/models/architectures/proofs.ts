/**
 * What must hold of every architecture, given a small model of it and an f64 oracle of its logits.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { type Gpu, offsetWidth } from "../../../kernels/mod.ts";
import {
  calibratedSource,
  Evaluator,
  type Example,
  generate,
  loadModel,
  type Model,
  type ModelSource,
  openModelSource,
  packBatch,
  quantizedSource,
  writeModel,
} from "../../../models/mod.ts";
import { foldedSource } from "../../../models/checkpoints/derived/folded.ts";
import { adaptedSource, writeAdapter } from "../../../models/checkpoints/derived/tuned_values.ts";
import {
  masterSeed,
  mezo,
  qzoNormalised,
  stepSeed,
  tensorId,
  withTangents,
} from "../../../optim/mod.ts";
import { trainedTensors } from "../../../train/mod.ts";
import { planOffsets, type Selection } from "../../../train/selection.ts";
import { modelOfShape, planMemory } from "../../../train/steps/memory_plan.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { noiseTerm } from "../../reference/effective_weights.ts";
import { classificationLoss, languageModellingLoss } from "../../reference/losses.ts";
import { targetLogProbabilities } from "../../reference/softmax_nll.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { assertGradient } from "../gradient_case.ts";
import { choiceExamples, randomTokens, textExamples, weightsOf } from "../small_model.ts";

type Objective = "language-modelling" | "classification";
type Weights = Readonly<Record<string, ArrayLike<number>>>;

/** Logits `[tokens][vocabulary]` from weights by the names that they have inside. */
export interface Oracle {
  readonly vocabulary: number;
  logits(weights: Weights, tokens: number[]): Float64Array;
}

/** Losses from weights by the names that they have inside, and what they are of. */
export interface LossOracle {
  /** A few examples of an objective. */
  examples(objective: Objective): readonly Example[];
  loss(weights: Weights, examples: readonly Example[], objective: Objective): number;
}

/** Of a decoder: text and choices of random tokens. */
function decoderLosses(oracle: Oracle): LossOracle {
  const { vocabulary } = oracle;
  return {
    examples: (objective) =>
      objective === "classification"
        ? choiceExamples(vocabulary, [9, 3])
        : textExamples(vocabulary, [7, 14]),
    loss: (weights, examples, objective) => lossOf(oracle, weights, examples, objective),
  };
}

/** All that can be trained. */
export const EVERYTHING: Selection = { kinds: ["scales", "norms", "biases", "dense"], exclude: [] };

/** The loss of a batch by the oracle: every candidate in a sequence of its own. */
export function lossOf(
  { vocabulary, logits }: Oracle,
  weights: Weights,
  examples: readonly Example[],
  objective: Objective,
): number {
  const scored = examples.map(({ prompt, candidates, label }) => ({
    candidates: candidates.map((candidate) => {
      const tokens = [...prompt, ...candidate];
      const first = Math.max(0, prompt.length - 1);
      return targetLogProbabilities(
        logits(weights, tokens.slice(0, -1)).subarray(first * vocabulary),
        vocabulary,
        tokens.slice(first + 1),
      );
    }),
    label,
  }));
  if (objective === "classification") return classificationLoss(scored);
  return languageModellingLoss(scored.flatMap((it) => it.candidates.flatMap((c) => [...c])));
}

/** Losses of text, and of candidates that share their prompt, are the oracle's on the source's own weights. */
export async function assertLosses(
  gpu: Gpu,
  source: ModelSource,
  oracle: Oracle,
  bound = 2e-5,
): Promise<void> {
  using model = await loadModel(gpu, source);
  const weights = await weightsOf(source);
  using evaluator = new Evaluator(model);
  const text = textExamples(oracle.vocabulary, [9, 2, 45]);
  const choice = choiceExamples(oracle.vocabulary, [5, 1, 12]);
  const results = await evaluator.run([
    packBatch(text, "language-modelling", source.config.context),
    packBatch(choice, "classification", source.config.context),
  ]);
  const expected = [
    lossOf(oracle, weights, text, "language-modelling"),
    lossOf(oracle, weights, choice, "classification"),
  ];
  results.forEach(({ loss }, i) => assertAlmostEquals(loss, expected[i], bound));
}

/**
 * Losses along noise on everything that can be trained, and the derivatives made of them, are the oracle's; and so are the derivatives that
 * tangents are, which differences of the oracle's losses are close to in f64. The gradient's products with directions are those tangents.
 */
export async function assertDerivatives(
  gpu: Gpu,
  dense: ModelSource,
  oracle: Oracle | LossOracle,
  { format = "Q4_0", form = "relative" }: {
    readonly format?: string;
    readonly form?: "relative" | "absolute";
  } = {},
): Promise<void> {
  const losses = "loss" in oracle ? oracle : decoderLosses(oracle);
  const source = quantizedSource(dense, { format });
  using model = await loadModel(gpu, source);
  using offsets = planOffsets(model, form, gpu.maxBinding, EVERYTHING).allocate(gpu);
  assertEquals(offsets.trainables.length, source.tensors.size);
  const epsilon = form === "relative" ? 0.02 : 2e-3;
  const random = randomNumbers(8);
  const start = new Map(
    offsets.trainables.map((t) => [t.name, randomNormals(t.count, epsilon, random)]),
  );
  const rule = { ...mezo({ epsilon, queries: 2 }), form };
  using trainer = new Trainer(model, rule, offsets, { seed: 6 });
  const exact = withTangents(rule);
  using tangents = new Trainer(model, exact, offsets, { seed: 6 });
  const byName = new Map(offsets.trainables.map((it) => [it.name, it]));
  for (const objective of ["language-modelling", "classification"] as const) {
    const examples = losses.examples(objective);
    offsets.write(gpu, start);
    trainer.enqueue(0, packBatch(examples, objective, source.config.context));
    const [record] = await trainer.drain();
    const lossAt = async (direction: number, amplitude: number) => {
      const seed = stepSeed(masterSeed(6), 0, direction);
      const weights = await weightsOf(source, (tensor) => {
        const it = byName.get(tensor)!;
        const width = offsetWidth(it);
        const noise = noiseTerm("normal", seed, tensorId(tensor), amplitude, { width });
        return { form: it.form, span: it.span, offsets: start.get(tensor)!, noise };
      });
      return losses.loss(weights, examples, objective);
    };
    const expected: number[] = [];
    for (const { direction, amplitude } of rule.estimator.branches) {
      expected.push(await lossAt(direction, amplitude));
    }
    expected.forEach((loss, b) => {
      const error = Math.abs(record.losses[b] - loss) / loss;
      assert(error < 5e-6, `branch ${b}: ${record.losses[b]}, oracle ${loss}`);
    });
    record.derivatives.forEach((d, q) => {
      const slope = (expected[2 * q] - expected[2 * q + 1]) / (2 * epsilon);
      assert(Math.abs(slope) > 1e-2, `the slope ${slope} is no test`);
      assertAlmostEquals(d, slope, 8e-5 / (2 * epsilon));
    });
    offsets.write(gpu, start);
    tangents.enqueue(0, packBatch(examples, objective, source.config.context));
    const [found] = await tangents.drain();
    assert(Math.abs(found.losses[0] - await lossAt(0, 0)) < 5e-6 * found.losses[0]);
    // So near that few units of a ReLU turn between the two.
    const near = epsilon / 2e4;
    for (const [q, d] of found.derivatives.entries()) {
      const slope = (await lossAt(q, near) - await lossAt(q, -near)) / (2 * near);
      const error = Math.abs(d - slope) / Math.max(1, Math.abs(slope));
      assert(error < 1e-4, `tangent ${q} of ${objective}: ${d}, oracle ${slope}`);
    }
  }
  const examples = {
    "language-modelling": losses.examples("language-modelling"),
    "classification": losses.examples("classification"),
  };
  await assertGradient(gpu, model, examples, { form, selection: EVERYTHING });
}

/** The planned memory of training is what it takes, to the byte; for a model of which the shape alone is known too. */
export async function assertMemory(
  gpu: Gpu,
  dense: ModelSource,
  { kinds = ["scales", "norms"], examples }: {
    readonly kinds?: Selection["kinds"];
    /** Choices; of random tokens by default. */
    readonly examples?: readonly Example[];
  } = {},
): Promise<void> {
  const source = quantizedSource(dense, { format: "Q4_0" });
  const { vocabulary, context } = source.config;
  const selection = { kinds };
  const optimiser = qzoNormalised({ queries: 2 });
  const choices = examples ?? choiceExamples(vocabulary, [9, 14, 3]);
  const batch = packBatch(choices, "classification", context);
  const { adapterClass, maxBinding } = gpu;
  const options = { optimiser, selection, shape: batch.shape, adapterClass, maxBinding };
  const plan = planMemory(source, options);
  assertEquals(planMemory(modelOfShape(source.config, "Q4_0"), options).offsets, plan.offsets);
  const before = gpu.memory.current;
  using model = await loadModel(gpu, source);
  using offsets = planOffsets(model, "relative", maxBinding, selection).allocate(gpu);
  using trainer = new Trainer(model, optimiser, offsets, { seed: 1 });
  trainer.enqueue(0, batch);
  await trainer.drain();
  for (const part of ["weights", "offsets", "activations", "optimiser", "scratch"] as const) {
    assertEquals(gpu.memory.current[part] - before[part], plan[part], part);
  }
}

/**
 * A model is quantised, written to `small`, its offsets set at random, all that can be trained, folded, written to `tuned` and read again, and
 * written as the tuned values alone: what is read is what was made, and computes the same.
 */
export async function assertReturns(
  gpu: Gpu,
  dense: ModelSource,
  { path, formats, examples }: {
    /** Where a folder or file of that name lies. */
    readonly path: (name: string) => string;
    /** What formats some tensors have then. */
    readonly formats: Readonly<Record<string, string>>;
    readonly examples: readonly Example[];
  },
): Promise<void> {
  const quantised = quantizedSource(dense, { format: "int4_g32" });
  await writeModel(quantised, path("small"));
  using small = await openModelSource(path("small"));
  assertEquals(small.config, dense.config);
  for (const [name, format] of Object.entries(formats)) {
    assertEquals(small.tensors.get(name)!.format.name, format, name);
  }
  assertEquals(await weightsOf(small), await weightsOf(quantised));

  using model = await loadModel(gpu, quantised);
  using offsets = planOffsets(model, "relative", gpu.maxBinding, EVERYTHING).allocate(gpu);
  const random = randomNumbers(3);
  offsets.write(
    gpu,
    new Map(offsets.trainables.map((t) => [t.name, randomNormals(t.count, 0.02, random)])),
  );
  const trained = trainedTensors(offsets.trainables, await offsets.read(gpu));
  const tuned = foldedSource(small, trained);
  await writeModel(tuned, path("tuned"));
  using again = await openModelSource(path("tuned"));
  const weights = await weightsOf(tuned);
  assertEquals(await weightsOf(again), weights);
  await writeAdapter(small, trained, path("tuned.safetensors"));
  using adapted = await adaptedSource(small, path("tuned.safetensors"));
  assertEquals(await weightsOf(adapted), weights);
  using before = new Evaluator(model, offsets);
  using loaded = await loadModel(gpu, again);
  using after = new Evaluator(loaded);
  const batch = packBatch(examples, "language-modelling", dense.config.context);
  const [[one], [other]] = [await before.run([batch]), await after.run([batch])];
  assertAlmostEquals(one.loss, other.loss, 5e-3);
}

/** Quantised by calibration, a model is near what it was by the oracle; every matrix was done, and no other. What came of it. */
export async function assertCalibrated(
  gpu: Gpu,
  dense: ModelSource,
  method: string,
  { windows, matrices, loss }: {
    readonly windows: readonly Example[];
    /** How many. */
    readonly matrices: number;
    /** By the oracle, of the windows. */
    readonly loss: (weights: Weights) => number;
  },
): Promise<ModelSource> {
  const layers: string[] = [];
  const source = await calibratedSource(gpu, dense, windows, {
    method,
    format: "int4_g32",
    onLayer: ({ name }) => layers.push(name),
  });
  const quantised = [...source.tensors.values()].filter((it) => it.format.name === "int4_g32");
  assertEquals(quantised.length, matrices);
  assertEquals(new Set(layers), new Set(quantised.map((it) => it.name)));
  const before = loss(await weightsOf(dense));
  assertAlmostEquals(loss(await weightsOf(source)), before, 0.15 * before);
  return source;
}

/**
 * A model is quantised, written to `small`, trained for 20 steps, folded, written to `tuned` and read again: the loss falls, and what is read
 * has it, by the oracle too.
 */
export async function assertTrainsAndReturns(
  gpu: Gpu,
  dense: ModelSource,
  oracle: Oracle | LossOracle,
  { format, small, tuned }: {
    readonly format: string;
    readonly small: string;
    readonly tuned: string;
  },
): Promise<void> {
  await writeModel(quantizedSource(dense, { format }), small);
  using source = await openModelSource(small);
  using model = await loadModel(gpu, source);
  const selection = { kinds: ["scales", "norms"] } as const;
  using offsets = planOffsets(model, "relative", gpu.maxBinding, selection).allocate(gpu);
  const optimiser = qzoNormalised({ queries: 2, learningRate: 0.01 });
  using trainer = new Trainer(model, optimiser, offsets, { seed: 1 });
  const losses = "loss" in oracle ? oracle : decoderLosses(oracle);
  const text = "loss" in oracle
    ? oracle.examples("language-modelling")
    : textExamples(oracle.vocabulary, [20, 17]);
  const batch = packBatch(text, "language-modelling", Math.min(64, source.config.context));
  using evaluator = new Evaluator(model, offsets);
  const [before] = await evaluator.run([batch]);
  for (let step = 0; step < 20; step++) {
    trainer.enqueue(step, batch);
    await trainer.drain();
  }
  const [after] = await evaluator.run([batch]);
  assert(after.loss < before.loss - 0.01, `${before.loss} became ${after.loss}`);
  const folded = foldedSource(
    source,
    trainedTensors(offsets.trainables, await offsets.read(gpu)),
  );
  await writeModel(folded, tuned);
  using again = await openModelSource(tuned);
  assertEquals(again.config, source.config);
  const weights = await weightsOf(again);
  assertEquals(weights, await weightsOf(folded));
  assertAlmostEquals(losses.loss(weights, text, "language-modelling"), after.loss, 5e-3);
}

/** New tokens, the likeliest each. */
export async function greedyTokens(
  model: Model,
  prompt: readonly number[],
  options: Parameters<typeof generate>[2] = {},
): Promise<number[]> {
  const tokens: number[] = [];
  for await (const { token } of generate(model, prompt, { stopTokens: [], ...options })) {
    if (token >= 0) tokens.push(token);
  }
  return tokens;
}

/** Each new token is the oracle's likeliest, but for ties that f32 cannot tell apart. */
export function assertLikeliest(
  { vocabulary, logits }: Oracle,
  weights: Weights,
  prompt: readonly number[],
  tokens: readonly number[],
): void {
  const all = logits(weights, [...prompt, ...tokens]);
  tokens.forEach((token, i) => {
    const at = prompt.length + i - 1;
    const row = all.subarray(at * vocabulary, (at + 1) * vocabulary);
    const best = Math.max(...row);
    assert(row[token] >= best - 1e-4, `token ${i} after ${prompt.length}: ${row[token]}, ${best}`);
  });
}

/** Generated tokens are the oracle's likeliest, for prompts below, at and beyond the pieces that they are read in. */
export async function assertGenerates(
  gpu: Gpu,
  source: ModelSource,
  oracle: Oracle,
): Promise<void> {
  const weights = await weightsOf(source);
  using model = await loadModel(gpu, source, { maxPositions: 90 });
  for (const length of [1, 5, 70]) {
    const prompt = randomTokens(oracle.vocabulary, length, length);
    const tokens = await greedyTokens(model, prompt, { maxTokens: 8 });
    assertEquals(tokens.length, 8);
    assertLikeliest(oracle, weights, prompt, tokens);
  }
}
