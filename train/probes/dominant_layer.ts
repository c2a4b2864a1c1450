/**
 * Finds the dominant layer without training, for training a single layer.
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
import { assertBatchFits } from "../../models/batch_fits.ts";
import { type Example, type Objective, packBatch } from "../../models/batch.ts";
import { forwardContext, recorderOf } from "../../models/forward.ts";
import type { Model } from "../../models/inference/model.ts";
import { planOffsets, type Selection } from "../selection.ts";
import { squaredSlopes } from "./slopes.ts";

/** What makes a layer dominant; see {@linkcode dominantLayer}. */
export type Dominance = "outliers" | "sensitivity";

/** All kinds of dominance. */
export const dominances: readonly Dominance[] = ["outliers", "sensitivity"];

/** Options for finding the dominant layer. */
export interface DominantLayerOptions {
  /** What makes a layer dominant; `"outliers"` by default. */
  readonly by?: Dominance;
  /** The objective of the examples. Default `"language-modelling"`. */
  readonly objective?: Objective;
  /** What is perturbed to find the most sensitive layer. Default: the scales of all layers. */
  readonly selection?: Selection;
  /** Number of batches to evaluate. Default 4. */
  readonly batches?: number;
  /** Examples per batch. Default 8. */
  readonly batchSize?: number;
  /** Aborts between two batches. */
  readonly signal?: AbortSignal;
  /** Called after each batch with the number of batches done and their total. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The dominant layer. */
export interface DominantLayer {
  /** Index of the layer, from 0. */
  readonly layer: number;
  /** The compared score of each layer. The largest wins. */
  readonly scores: readonly number[];
  /** The selection that trains only this layer. */
  readonly selection: Selection;
}

/**
 * Finds the layer that dominates zeroth-order fine-tuning, with forward passes alone. Nothing is changed.
 *
 * - `"outliers"`: the layer in which outliers of activations arise. Its score is the factor by which the ratio of the largest to the mean
 *   magnitude of hidden states grows in the layer.
 * - `"sensitivity"`: the layer to whose offsets the loss is most sensitive. Its score is the root mean square of two-sided derivatives along
 *   random directions in that layer alone (relative offsets, epsilon 0.02), which estimates the norm of its gradient.
 *
 * Differences from the paper: it takes the first layer with outliers, by a criterion in the full text, which was not available; growth needs no
 * threshold. It also states that this layer is the most sensitive one, which `"sensitivity"` measures directly on the task's examples.
 *
 * Source: Dominant-Layer ZO (arXiv 2606.05516), abstract only.
 *
 * @throws {RangeError} when there are no examples, one does not fit the model, or no layer contains anything that is selected.
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

/** For each layer, the outlier ratio of its output divided by that of its input. */
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

/** For each layer, the root mean square of derivatives along directions in that layer alone. */
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
