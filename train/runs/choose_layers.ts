/**
 * Finds the layer that a configuration selects by a word.
 *
 * @module
 */
import { dominantLayer } from "../probes/dominant_layer.ts";
import type { Model } from "../../models/inference/model.ts";
import type { TrainConfig } from "../config/schema.ts";
import { selectionOfConfig } from "./session.ts";
import type { TaskExamples } from "./task_examples.ts";

const measures = { dominant: "outliers", sensitive: "sensitivity" } as const;

/**
 * If `trainables.layers` is a word, returns the configuration with the number of the layer that it stands for, found by forward passes on the first
 * training examples. Otherwise returns the configuration unchanged. The result is the same every time on the same device.
 *
 * @param onProgress Called after each batch with the number of batches done and their total.
 */
export async function chooseLayers(
  config: TrainConfig,
  model: Model,
  { train, objective }: Pick<TaskExamples, "train" | "objective">,
  onProgress?: (done: number, total: number) => void,
): Promise<TrainConfig> {
  const { trainables } = config;
  if (typeof trainables.layers !== "string") return config;
  const { layer } = await dominantLayer(model, train.examples, {
    by: measures[trainables.layers],
    objective,
    batchSize: config.batchSize,
    selection: selectionOfConfig(config),
    ...(onProgress ? { onProgress } : {}),
  });
  return { ...config, trainables: { ...trainables, layers: [layer, layer] } };
}
