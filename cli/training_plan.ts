/**
 * Memory that a training step takes on the device, planned without one.
 *
 * @module
 */
import type { BatchShape } from "../kernels/mod.ts";
import type { ModelSource } from "../models/mod.ts";
import { fitAdapter } from "../models/adapters/adapted.ts";
import { leadOf, roundedCapacity } from "../models/batch.ts";
import { type MemoryPlanOptions, planMemory } from "../train/steps/memory_plan.ts";
import type { Checkpoints } from "../train/steps/record_step.ts";
import {
  configuredAdapter,
  formOfConfig,
  optimiserOfConfig,
  selectionOfConfig,
  type TrainConfig,
} from "../train/mod.ts";
import { isQuantised } from "../quant/layouts/layout.ts";
import { formatBytes } from "../show/progress.ts";

/** Memory of a training step in bytes, or the reason why the selection cannot be trained. */
export type TrainingPlan =
  | { readonly refused: string }
  | {
    readonly batch: number;
    readonly length: number;
    readonly trainableScalars: number;
    readonly total: number;
    readonly parts: Readonly<Record<string, number>>;
    /** What exact gradients keep of the forward pass. Undefined for an optimiser without them. */
    readonly checkpoints?: Checkpoints;
    /** Memory that {@linkcode EXACT} would take in place of an optimiser without gradients. */
    readonly exact?: ExactPlan;
  };

/** The optimiser with exact gradients that plans are compared with. */
export const EXACT = "foAdam";

/** Memory that exact gradients would take, or the reason why there are none. */
export type ExactPlan =
  | { readonly refused: string }
  | {
    /** Bytes if only the input of each block is kept. */
    readonly least: number;
    /** Bytes with the checkpoints that the plan chooses. */
    readonly total: number;
    /** The checkpoints that the plan chooses. */
    readonly checkpoints: Checkpoints;
  };

/** Memory of a training step on batches of full length, or the reason why the selection cannot be trained. */
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
  try {
    const adapter = configuredAdapter(config, source);
    const lead = adapter && leadOf({ adapter: fitAdapter(source.config, adapter) });
    const optimiser = optimiserOfConfig(config);
    const shapeOf = (examples: number, tokens: number): BatchShape => ({
      rows: roundedCapacity(examples * (tokens + (lead?.tokens ?? 0)), 8),
      lossRows: roundedCapacity(modelling ? examples * tokens : examples * choices, 8),
      candidates: roundedCapacity(examples * choices, 8),
      examples: roundedCapacity(examples, 4),
    });
    const { batches } = optimiser.estimator;
    const whole = shapeOf(batches?.noiseBatchSize ?? batch, length);
    const options: MemoryPlanOptions = {
      optimiser,
      selection: selectionOfConfig(config),
      adapter,
      activationBytes: config.device.activations * 2 ** 20,
      checkpoints: config.device.checkpoints,
      // The command line evaluates held-out examples during training.
      evaluates: true,
      shape: batches
        ? { ...whole, second: shapeOf(batch, Math.min(length, batches.longerThan ?? length)) }
        : whole,
    };
    const { total, trainableScalars, checkpoints, ...parts } = planMemory(source, options);
    const said = { batch, length, trainableScalars, total, parts };
    return checkpoints === undefined
      ? { ...said, exact: exactPlan(source, config, options) }
      : { ...said, checkpoints };
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

/** The same plan with exact gradients and everything else unchanged. */
function exactPlan(
  source: ModelSource,
  config: TrainConfig,
  options: MemoryPlanOptions,
): ExactPlan {
  const { schedule } = config.optimiser;
  try {
    const optimiser = optimiserOfConfig({
      ...config,
      optimiser: { name: EXACT, schedule: { ...schedule, kind: "constant", end: 0 } },
      // A group may set its own epsilon, which exact gradients do not have.
      groups: {},
    });
    const { total, checkpoints = "block" } = planMemory(source, { ...options, optimiser });
    const least = checkpoints === "block"
      ? total
      : planMemory(source, { ...options, optimiser, checkpoints: "block" }).total;
    return { least, total, checkpoints };
  } catch (error) {
    // A trained tensor or an operation has no gradient.
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    return { refused: error.message };
  }
}

/** Memory that exact gradients would take, as text. Undefined if the plan already uses them or was refused. */
export function exactText(plan: TrainingPlan): string | undefined {
  if ("refused" in plan || !plan.exact) return undefined;
  if ("refused" in plan.exact) return `none: ${plan.exact.refused}`;
  const { least, total, checkpoints } = plan.exact;
  const more = checkpoints === "block"
    ? `, computing each block again`
    : `; ${formatBytes(least)} if each block is computed again`;
  return `${formatBytes(total)} with --optimiser ${EXACT}, ${
    (total / plan.total).toFixed(2)
  } times as much${more}`;
}

/** The same as advice, if exact gradients need at most twice the memory and so are worth a try. Otherwise undefined. */
export function exactAdvice(plan: TrainingPlan): string | undefined {
  const isNear = "exact" in plan && plan.exact && "least" in plan.exact &&
    plan.exact.least <= 2 * plan.total;
  return isNear ? `would take ${exactText(plan)}` : undefined;
}

/** What exact gradients compute again, as text. */
export function checkpointsText(checkpoints: Checkpoints): string {
  return checkpoints === "all"
    ? "nothing is computed again"
    : checkpoints === "block"
    ? "each block is computed again"
    : `${checkpoints} blocks at a time are computed again`;
}
