/**
 * The device, its buffers and pipelines, and every operation as WGSL. Knows layouts and branches; no model names.
 *
 * @module
 */

export { ActivationPool } from "./device/activation_pool.ts";
export type { ActivationOperation } from "./operations/activations/activation_operation.ts";
export { type ActivationKind } from "./operations/activations/activations.ts";
export { siluGate } from "./operations/activations/silu_gate.ts";
export { add } from "./operations/add.ts";
export { attention, type AttentionShape } from "./operations/attention.ts";
export { capLogits } from "./operations/activations/cap_logits.ts";
export { embedding, type EmbeddingIndex } from "./operations/embedding.ts";
export { batchLoss, type LossRows, targetLogProbability } from "./operations/losses.ts";
export type { NormOperation, NormOptions, NormVectors } from "./operations/norms/norm_operation.ts";
export { type NormKind } from "./operations/norms/norms.ts";
export { scaleColumns } from "./operations/column_scales/scale_columns.ts";
export { lowRank, type LowRankFactors } from "./operations/low_rank/low_rank.ts";
export { rmsNorm } from "./operations/norms/rms_norm.ts";
export { type HeadShape, rope } from "./operations/rope.ts";
export { storeRows } from "./operations/store_rows.ts";
export { GradientSet } from "./offsets/gradient_set.ts";
export {
  type Gradients,
  type Operand,
  type Operation,
  operationsOf,
  type RecordedOperation,
  recordOperation,
} from "./device/operation.ts";
export { type SubgroupSizes } from "./device/adapter.ts";
export { type BatchLayout, batchLayout, type BatchShape } from "./operations/batch_layout.ts";
export { BlockCopy } from "./step/block_copy.ts";
export { extent } from "./statistics/extent.ts";
export { assertTrainables, basesOf, prepareOffsets } from "./offsets/read_bases.ts";
export { gatherColumns } from "./operations/gather_columns.ts";
export {
  type AdapterClass,
  Gpu,
  GpuBuffer,
  type GpuOptions,
  type MemoryByPart,
  openGpu,
  type Part,
} from "./device/gpu.ts";
export { DeviceLostError, NoAdapterError, OutOfMemoryError } from "./device/gpu_errors.ts";
export {
  type Dispatch,
  Graph,
  type Range,
  type Resource,
  type Value,
  type ValueRange,
} from "./device/graph.ts";
export { compileGraph, Plan } from "./device/plan.ts";
export { InputSums } from "./statistics/input_sums.ts";
export { SHADER_LIBRARY } from "./shader_library.ts";
export { matmul } from "./matmul/matmul.ts";
export type { MatmulOptions } from "./matmul/product.ts";
export {
  hasSign,
  OffsetSet,
  offsetWidth,
  type Trainable,
  trainableOf,
} from "./offsets/offset_set.ts";
export type { ForwardContext, RowList } from "./operations/context.ts";
export { Pacing, type PacingLimits, pacingLimits } from "./device/pacing.ts";
export { subgroupSizes } from "./device/subgroups_check.ts";
export { submitPlanInTurns, type SubmitPlanOptions } from "./device/submit_plan.ts";
export { bindPerturbation } from "./offsets/bind.ts";
export { type BranchNoise, type Perturbation } from "./offsets/perturbation.ts";
export { perturbedVector, type TensorPerturbations } from "./matmul/perturbed_plane.ts";
export { type ColumnRange, pickColumns } from "./operations/pick_columns.ts";
export { pickRows } from "./operations/pick_rows.ts";
export { PipelineCache } from "./device/pipeline.ts";
export { replayMoves, type ReplayOptions } from "./step/replay.ts";
export { DeviceProducts } from "./statistics/row_products.ts";
export {
  type KernelCheck,
  type SelfCheck,
  selfCheck,
  type SelfCheckOptions,
} from "./self_check.ts";
export { type StepRecord, StepState } from "./step/state.ts";
export { moveOffsets, type MoveRule, type Moves } from "./offsets/move_offsets.ts";
export { optimiserStep, type StepInputs, type StepTrial } from "./step/step.ts";
export { Storage } from "./device/storage.ts";
export { expandShader, type ShaderKey, type ShaderLibrary } from "./device/template.ts";
export { DeviceTensor, type TensorPiece } from "./device/tensor.ts";
export { type Tile } from "./matmul/tiles.ts";
export { Turns } from "./device/turns.ts";
export { type WideVectors, wideVectors } from "./device/wide_vectors.ts";
