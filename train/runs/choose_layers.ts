/**
 * The layer that a configuration has a word for.
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
 * The configuration with the layer's number where `trainables.layers` is a word: the first training examples are looked at, by forward
 * passes alone. Otherwise the configuration itself. The same device finds the same layer again.
 *
 * @param onProgress Told after each batch how many of how many are done
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
