/**
 * What a step of training takes of the device, found without one.
 *
 * @module
 */
import type { ModelSource } from "../models/mod.ts";
import { fitAdapter } from "../models/adapters/adapted.ts";
import { leadOf, roundedCapacity } from "../models/batch.ts";
import { planMemory } from "../train/steps/memory_plan.ts";
import {
  configuredAdapter,
  formOfConfig,
  optimiserOfConfig,
  selectionOfConfig,
  type TrainConfig,
} from "../train/mod.ts";
import { isQuantised } from "../quant/layouts/layout.ts";

/** What training takes; or why the selection cannot be trained. */
export type TrainingPlan =
  | { readonly refused: string }
  | {
    readonly batch: number;
    readonly length: number;
    readonly trainableScalars: number;
    readonly total: number;
    readonly parts: Readonly<Record<string, number>>;
  };

/** Memory of a training step on batches of whole length; or why the selection cannot be trained. */
export function trainingPlan(
  source: ModelSource,
  config: TrainConfig,
  wanted: { readonly length?: number | undefined; readonly candidates?: number | undefined } = {},
): TrainingPlan {
  const { candidates } = wanted;
  const length = Math.min(wanted.length ?? config.maxLength, source.config.context);
  const batch = config.batchSize;
  const modelling = config.task.name === undefined && config.task.template === undefined ||
    config.task.name === "language-modelling" || formOfConfig(config) !== undefined;
  const choices = modelling && candidates === undefined ? 1 : candidates ?? 2;
  const rows = batch * length;
  try {
    const adapter = configuredAdapter(config, source);
    const lead = adapter && leadOf({ adapter: fitAdapter(source.config, adapter) });
    const { total, trainableScalars, ...parts } = planMemory(source, {
      optimiser: optimiserOfConfig(config),
      selection: selectionOfConfig(config),
      adapter,
      activationBytes: config.device.activations * 2 ** 20,
      // What the command line trains has something held out.
      evaluates: true,
      shape: {
        rows: roundedCapacity(rows + batch * (lead?.tokens ?? 0), 8),
        lossRows: roundedCapacity(modelling ? rows : batch * choices, 8),
        candidates: roundedCapacity(batch * choices, 8),
        examples: roundedCapacity(batch, 4),
      },
    });
    return { batch, length, trainableScalars, total, parts };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const wantsScales = config.trainables.kinds.every((kind) => kind === "scales");
    const dense = [...source.tensors.values()].every((it) => !isQuantised(it.format.layout));
    return {
      refused: dense && wantsScales
        ? "no scales yet, because nothing is quantised: add --quantize Q4_0 to see what training 4-bit scales takes, or --trainables.kinds dense to train the weights themselves"
        : error.message,
    };
  }
}
