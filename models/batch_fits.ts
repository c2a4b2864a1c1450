/**
 * Checks whether a batch can be run on a model.
 *
 * @module
 */
import { sightOf } from "./architectures.ts";
import { type BatchRoom, leadOf, type PackedBatch } from "./batch.ts";
import type { ModelConfig } from "./model_config.ts";

/**
 * Rejects a batch that reads beyond a model's tables, or in which tokens attend to others than the model expects, because a device would not notice.
 *
 * @throws {RangeError} when a token is not in the vocabulary, a position is beyond those the model was loaded for, tokens are masked but the model
 * attends only to earlier tokens, no tokens are masked but the model attends to all, or the batch was packed for another adapter.
 */
export function assertBatchFits(
  batch: PackedBatch,
  model: {
    readonly config: Pick<ModelConfig, "architecture" | "vocabulary">;
  } & BatchRoom,
): void {
  if (batch.second) assertBatchFits(batch.second, model);
  const { architecture } = model.config;
  const lead = leadOf(model);
  if (batch.lead.tokens !== lead.tokens || batch.lead.positions !== lead.positions) {
    throw new RangeError(
      `Cannot run a batch packed with ${batch.lead.tokens} leading tokens and positions from ${batch.lead.positions}: the model's adapter has ${lead.tokens} and ${lead.positions}; pack it with the model: packBatch(examples, objective, model)`,
    );
  }
  if (batch.sees !== sightOf(model.config)) {
    throw new RangeError(
      batch.sees === "all"
        ? `Cannot run a batch with masked tokens: a model of architecture ${architecture} sees only the tokens before each token; make its examples without masks`
        : `Cannot run a batch without masked tokens: a model of architecture ${architecture} sees the whole text and predicts only masked tokens; make its examples with masks (sees: "all")`,
    );
  }
  if (batch.highestToken >= model.config.vocabulary) {
    throw new RangeError(
      `Cannot run a batch with token ${batch.highestToken}: the model's vocabulary has ${model.config.vocabulary}`,
    );
  }
  if (batch.highestPosition >= model.maxPositions) {
    throw new RangeError(
      `Cannot run a batch with a sequence of ${
        batch.highestPosition + 1
      } tokens: the model was loaded for ${model.maxPositions}`,
    );
  }
}
