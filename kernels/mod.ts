/**
 * The device, its buffers and pipelines, and every operation as WGSL. Knows layouts and branches; no model names.
 *
 * @module
 */

export * from "./device/activation_pool.ts";
export * from "./operations/activations/activation_operation.ts";
export * from "./operations/activations/activations.ts";
export * from "./operations/activations/silu_gate.ts";
export * from "./operations/add.ts";
export * from "./operations/attention.ts";
export * from "./operations/embedding.ts";
export * from "./operations/losses.ts";
export * from "./operations/norms/norm_operation.ts";
export * from "./operations/norms/norms.ts";
export * from "./operations/norms/rms_norm.ts";
export * from "./operations/rope.ts";
export * from "./operations/store_rows.ts";
export * from "./device/operation.ts";
export { type SubgroupSizes } from "./device/adapter.ts";
export * from "./operations/batch_layout.ts";
export * from "./step/block_copy.ts";
export * from "./statistics/extent.ts";
export * from "./offsets/read_bases.ts";
export * from "./operations/gather_columns.ts";
export * from "./device/gpu.ts";
export * from "./device/graph.ts";
export * from "./statistics/input_sums.ts";
export * from "./shader_library.ts";
export * from "./matmul/matmul.ts";
export * from "./offsets/offset_set.ts";
export * from "./operations/context.ts";
export * from "./device/pacing.ts";
export * from "./device/subgroups_check.ts";
export * from "./device/submit_plan.ts";
export * from "./offsets/bind.ts";
export * from "./offsets/perturbation.ts";
export * from "./matmul/perturbed_plane.ts";
export * from "./operations/pick_columns.ts";
export * from "./operations/pick_rows.ts";
export * from "./device/pipeline.ts";
export * from "./step/replay.ts";
export * from "./statistics/row_products.ts";
export * from "./self_check.ts";
export { scalarStepShader } from "./step/scalar_step.ts";
export { type StepRecord, StepState } from "./step/state.ts";
export * from "./offsets/move_offsets.ts";
export * from "./step/step.ts";
export * from "./device/storage.ts";
export * from "./device/template.ts";
export * from "./device/tensor.ts";
export * from "./matmul/tiles.ts";
export { Turns } from "./device/turns.ts";
export { type WideVectors, wideVectors } from "./device/wide_vectors.ts";
