/**
 * Which layer to train when one is enough: the dominant one, found without training.
 *
 * @module
 */

import {
  compileGraph,
  extent,
  Graph,
  SHADER_LIBRARY,
  Storage,
  submitPlanInTurns,
} from "../../kernels/mod.ts";
import { blockwiseZo } from "../../optim/named/blockwise_zo.ts";
import { architectureOf } from "../../models/architectures.ts";
import { assertBatchFits, type Example, type Objective, packBatch } from "../../models/batch.ts";
import { forwardContext, recorderOf } from "../../models/forward.ts";
import type { Model } from "../../models/inference/model.ts";
import { planOffsets, type Selection } from "../selection.ts";
import { squaredSlopes } from "./slopes.ts";

/** What makes a layer dominant: see {@linkcode dominantLayer}. */
export type Dominance = "outliers" | "sensitivity";

/** All kinds. */
export const dominances: readonly Dominance[] = ["outliers", "sensitivity"];

/** How to look for the dominant layer. */
export interface DominantLayerOptions {
  /** What makes a layer dominant; `"outliers"` by default. */
  readonly by?: Dominance;
  /** What the examples' losses are; `"language-modelling"` by default. */
  readonly objective?: Objective;
  /** What is perturbed to find the most sensitive layer; the scales of all layers by default. */
  readonly selection?: Selection;
  /** Batches to look at; 4 by default. */
  readonly batches?: number;
  /** Examples of a batch; 8 by default. */
  readonly batchSize?: number;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
  /** Told after each batch how many of how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The dominant layer. */
export interface DominantLayer {
  /** Its number, from 0. */
  readonly layer: number;
  /** What was compared, by layer; the largest wins. */
  readonly scores: readonly number[];
  /** The selection that trains it alone. */
  readonly selection: Selection;
}

/**
 * The layer that dominates zeroth-order fine-tuning, from forward passes alone; nothing is changed.
 *
 * - `"outliers"`: where outliers of activations arise. Score: how many times the ratio of the largest to the mean size of the hidden
 *   states grows in that layer.
 * - `"sensitivity"`: along whose offsets the loss is steepest. Score: the root mean square of two-sided derivatives along random
 *   directions in that layer alone (relative offsets, epsilon 0.02), which is the length of its gradient.
 *
 * Departures: the paper takes the first layer with outliers, by a criterion that was not read; growth needs no threshold. It says that this layer
 * is also the most sensitive one, which `"sensitivity"` measures on the task's own examples.
 *
 * Source: Dominant-Layer ZO (arXiv 2606.05516), of which the abstract was read.
 *
 * @throws {RangeError} When there are no examples, one does not fit the model, or nothing is selected in any layer
 *
 * @example The layer of the bundled model
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { dominantLayer } from "@qzo/qzo/train";
 * import { loadModel, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * const text = { prompt: [], candidates: [[1, 50, 60, 70, 80, 90]], label: 0 };
 * const { layer, selection } = await dominantLayer(model, [text]);
 * assertEquals(selection.layers, [layer, layer]);
 * ```
 */
export async function dominantLayer(
  model: Model,
  examples: readonly Example[],
  options: DominantLayerOptions = {},
): Promise<DominantLayer> {
  const { by = "outliers", batchSize = 8, selection = {} } = options;
  if (examples.length === 0) {
    throw new RangeError("Cannot find the dominant layer: there are no examples");
  }
  const count = Math.min(options.batches ?? 4, Math.ceil(examples.length / batchSize));
  const objective = options.objective ?? "language-modelling";
  const packed = Array.from({ length: count }, (_, i) => {
    const batch = packBatch(
      examples.slice(i * batchSize, (i + 1) * batchSize),
      objective,
      model,
    );
    assertBatchFits(batch, model);
    return batch;
  });
  const scores = await (by === "outliers" ? outlierGrowth : sensitivity)(model, packed, options);
  const layer = scores.indexOf(Math.max(...scores));
  return { layer, scores, selection: { ...selection, layers: [layer, layer] } };
}

type Batches = readonly ReturnType<typeof packBatch>[];

/** By layer: the outlier ratio of what leaves it over that of what enters it. */
async function outlierGrowth(
  model: Model,
  batches: Batches,
  { signal, onProgress }: DominantLayerOptions,
): Promise<number[]> {
  const { gpu, config } = model;
  const { embed, block } = architectureOf(config);
  using stats = new Storage("extents", (config.layers + 1) * 8, "scratch").allocate(gpu);
  const largest = new Array<number>(config.layers + 1).fill(0);
  const means = new Array<number>(config.layers + 1).fill(0);
  for (const [index, batch] of batches.entries()) {
    signal?.throwIfAborted();
    using input = new Storage("batch", batch.words.byteLength, "activations").allocate(gpu);
    gpu.write(input.buffer, batch.words);
    const graph = new Graph();
    const context = forwardContext(model, graph, batch.shape, 1, input);
    const x = recorderOf(model, context);
    const used = batch.rows * config.hidden;
    let hidden = embed(x, config);
    extent(graph, hidden, used, stats, 0);
    for (let layer = 0; layer < config.layers; layer++) {
      hidden = block(x, config, hidden, layer);
      extent(graph, hidden, used, stats, layer + 1);
    }
    using plan = compileGraph(gpu, graph, SHADER_LIBRARY);
    await submitPlanInTurns(gpu, plan, { signal });
    const found = await gpu.readFloats(stats.buffer, (config.layers + 1) * 2);
    gpu.pipelines.check();
    for (let slot = 0; slot <= config.layers; slot++) {
      largest[slot] = Math.max(largest[slot], found[2 * slot]);
      means[slot] += found[2 * slot + 1];
    }
    onProgress?.(index + 1, batches.length);
  }
  const ratios = largest.map((size, slot) => size / Math.max(means[slot], 1e-30));
  return ratios.slice(1).map((ratio, layer) => ratio / Math.max(ratios[layer], 1e-30));
}

/** By layer: the root mean square of derivatives along directions in it alone. */
async function sensitivity(
  model: Model,
  batches: Batches,
  { selection, signal, onProgress }: DominantLayerOptions,
): Promise<number[]> {
  const { gpu, config: { layers } } = model;
  const probe = blockwiseZo({
    form: "relative",
    epsilon: 0.02,
    learningRate: 0,
    blocks: { by: "layer", count: layers, order: "all" },
  });
  using offsets = planOffsets(model, probe, gpu.maxBinding, selection).allocate(gpu);
  const squares = await squaredSlopes(model, probe, offsets, batches, {
    ...{ what: "the dominant layer", signal, onProgress },
  });
  return squares.map(Math.sqrt);
}
