/**
 * The gradient of a loss by everything that can be trained, beside the derivative along directions.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  compileGraph,
  type Gpu,
  Graph,
  offsetWidth,
  SHADER_LIBRARY,
  Storage,
} from "../../kernels/mod.ts";
import { GradientSet } from "../../kernels/offsets/gradient_set.ts";
import { type Example, type Model, packBatch, type PackedBatch } from "../../models/mod.ts";
import type { ForwardModel } from "../../models/forward.ts";
import { type GradientOptions, recordGradient } from "../../models/gradient.ts";
import { fillNoise, masterSeed, mezo, stepSeed, tensorId, withTangents } from "../../optim/mod.ts";
import { planOffsets, type Selection } from "../../train/selection.ts";
import { Trainer } from "../../train/steps/trainer.ts";
import { randomNormals, randomNumbers } from "../support/random_llama.ts";

/** The loss of a batch and its slopes by all offsets, by name. */
export async function gradientOf(
  gpu: Gpu,
  model: ForwardModel,
  offsets: ReturnType<typeof planOffsets>,
  batch: PackedBatch,
  options?: GradientOptions,
): Promise<{ readonly loss: number; readonly slopes: Map<string, Float32Array> }> {
  using gradients = new GradientSet(offsets).allocate(gpu);
  const words = new Storage("batch", batch.words.byteLength, "activations").allocate(gpu);
  gpu.write(words.buffer, batch.words);
  const losses = new Storage("losses", 16, "activations").allocate(gpu);
  const scores = new Storage("scores", batch.shape.candidates * 4, "activations").allocate(gpu);
  try {
    const graph = new Graph();
    gradients.clear(graph);
    const target = { losses, scores };
    recordGradient(graph, model, batch.shape, words, target, offsets, gradients, options);
    using plan = compileGraph(gpu, graph, SHADER_LIBRARY);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    plan.encode(pass);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    const [bytes] = await gpu.read([{ buffer: losses.buffer }]);
    gpu.pipelines.check();
    return { loss: new Float32Array(bytes)[0], slopes: await gradients.read(gpu) };
  } finally {
    for (const storage of [words, losses, scores]) storage[Symbol.dispose]();
  }
}

/** The product of the gradient with a direction is the tangent along it, for each of three directions, and the gradient is the same twice. */
export async function assertGradient(
  gpu: Gpu,
  model: Model,
  examples: Readonly<Record<"language-modelling" | "classification", readonly Example[]>>,
  { form, selection }: {
    readonly form: "relative" | "absolute";
    readonly selection: Selection;
  },
): Promise<void> {
  using offsets = planOffsets(model, form, gpu.maxBinding, selection).allocate(gpu);
  const random = randomNumbers(8);
  const spread = form === "relative" ? 0.02 : 2e-3;
  offsets.write(
    gpu,
    new Map(offsets.trainables.map((t) => [t.name, randomNormals(t.count, spread, random)])),
  );
  const rule = { ...withTangents(mezo({ queries: 3, learningRate: 0 })), form };
  using tangents = new Trainer(model, rule, offsets, { seed: 6 });
  for (const objective of ["language-modelling", "classification"] as const) {
    const batch = packBatch(examples[objective], objective, model);
    const found = await gradientOf(gpu, model, offsets, batch);
    assertEquals((await gradientOf(gpu, model, offsets, batch)).slopes, found.slopes);
    tangents.enqueue(0, batch);
    const [{ losses, derivatives }] = await tangents.drain();
    assertAlmostEquals(found.loss, losses[0], 1e-5);
    derivatives.forEach((d, q) => {
      let sum = 0;
      let size = 0;
      for (const t of offsets.trainables) {
        const z = new Float32Array(t.count);
        const place = { width: offsetWidth(t) };
        fillNoise("normal", stepSeed(masterSeed(6), 0, q), tensorId(t.name), 0, z, place);
        const slopes = found.slopes.get(t.name)!;
        for (let i = 0; i < t.count; i++) {
          sum += slopes[i] * z[i];
          size += (slopes[i] * z[i]) ** 2;
        }
      }
      const error = Math.abs(sum - d) / Math.max(Math.abs(d), Math.sqrt(size));
      assert(error < 1e-5, `${objective}, ${form}: along direction ${q} ${sum}, tangent ${d}`);
    });
  }
}
