/**
 * The device, its buffers and pipelines, and every operation as WGSL. Knows layouts and branches; no model names.
 *
 * @module
 */

export * from "./activation_pool.ts";
export { type SubgroupSizes } from "./adapter.ts";
export * from "./batch_layout.ts";
export * from "./block_copy.ts";
export * from "./extent.ts";
export * from "./freeze.ts";
export * from "./gather_columns.ts";
export * from "./gpu.ts";
export * from "./graph.ts";
export * from "./input_sums.ts";
export * from "./library.ts";
export * from "./matmul.ts";
export * from "./offsets.ts";
export * from "./operations.ts";
export * from "./pacing.ts";
export * from "./subgroups_check.ts";
export * from "./submit_plan.ts";
export * from "./perturbation.ts";
export * from "./perturbed_plane.ts";
export * from "./pipeline.ts";
export * from "./replay.ts";
export * from "./row_products.ts";
export * from "./self_check.ts";
export * from "./step.ts";
export * from "./storage.ts";
export * from "./template.ts";
export * from "./tensor.ts";
export * from "./tiles.ts";
export { Turns } from "./turns.ts";
export { type WideVectors, wideVectors } from "./wide_vectors.ts";
