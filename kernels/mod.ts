/**
 * The device, its buffers and pipelines, and every operation as WGSL. Knows layouts and branches; no model names.
 *
 * @module
 */

export * from "./device/activation_pool.ts";
export { type SubgroupSizes } from "./device/adapter.ts";
export * from "./operations/batch_layout.ts";
export * from "./step/block_copy.ts";
export * from "./operations/extent.ts";
export * from "./offsets/read_bases.ts";
export * from "./operations/gather_columns.ts";
export * from "./device/gpu.ts";
export * from "./device/graph.ts";
export * from "./operations/input_sums.ts";
export * from "./shader_library.ts";
export * from "./matmul/matmul.ts";
export * from "./offsets/offset_set.ts";
export * from "./operations/context.ts";
export * from "./device/pacing.ts";
export * from "./device/subgroups_check.ts";
export * from "./device/submit_plan.ts";
export * from "./offsets/perturbation.ts";
export * from "./matmul/perturbed_plane.ts";
export * from "./device/pipeline.ts";
export * from "./step/replay.ts";
export * from "./operations/row_products.ts";
export * from "./self_check.ts";
export * from "./step/step.ts";
export * from "./device/storage.ts";
export * from "./device/template.ts";
export * from "./device/tensor.ts";
export * from "./matmul/tiles.ts";
export { Turns } from "./device/turns.ts";
export { type WideVectors, wideVectors } from "./device/wide_vectors.ts";
