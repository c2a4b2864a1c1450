/**
 * Models: configuration, sources, forwards, loading, evaluation, training steps, generation, tokenizers.
 *
 * @module
 */

export * from "./checkpoints/derived/tuned_values.ts";
export * from "./architecture.ts";
export * from "./architectures.ts";
export * from "./checkpoints/disk/attempt.ts";
export * from "./batch.ts";
export * from "./inference/calibration/calibrate.ts";
export * from "./inference/column_orders.ts";
export * from "./tokenizers/chat_template.ts";
export * from "./model_config.ts";
export * from "./config/config_gguf.ts";
export * from "./config/config_hugging_face.ts";
export type { Fields, KeyRule, KeyTable, Note } from "./config/config_keys.ts";
export * from "../train/probes/dominant_layer.ts";
export * from "./inference/evaluator.ts";
export * from "./checkpoints/disk/file_kinds.ts";
export * from "./checkpoints/disk/files.ts";
export * from "./checkpoints/fingerprint.ts";
export * from "./forward.ts";
export * from "../train/probes/gains.ts";
export * from "./inference/generate.ts";
export * from "./checkpoints/head_order.ts";
export * from "./architectures/mod.ts";
export * from "./checkpoints/derived/kept_share.ts";
export * from "../train/steps/memory_plan.ts";
export * from "./inference/model.ts";
export * from "./checkpoints/hugging_face/model_folder.ts";
export * from "./checkpoints/open.ts";
export * from "./checkpoints/hugging_face/methods.ts";
export * from "./inference/calibration/method.ts";
export * from "./inference/calibration/methods.ts";
export * from "./recorder.ts";
export * from "./checkpoints/rope_factors.ts";
export * from "./rope_scaling.ts";
export * from "./rope_table.ts";
export * from "../train/selection.ts";
export * from "./checkpoints/checkpoint.ts";
export * from "./inference/calibration/calibrated.ts";
export * from "./checkpoints/gguf/open_gguf.ts";
export * from "./checkpoints/hugging_face/open_folder.ts";
export * from "./checkpoints/derived/quantization_plan.ts";
export { kindOf } from "./checkpoints/tensor_kind.ts";
export * from "./checkpoints/derived/decoded.ts";
export { quantizedSource, type QuantizedSourceOptions } from "./checkpoints/derived/quantised.ts";
export * from "./checkpoints/derived/folded.ts";
export * from "../train/steps/step_clock.ts";
export * from "./checkpoints/hugging_face/stored_tensors.ts";
export * from "./checkpoints/stored_values.ts";
export * from "./tokenizers/special_tokens.ts";
export type { Surroundings } from "./tokenizers/components/tokenizer_template.ts";
export * from "./tokenizers/tokenizer.ts";
export * from "./tokenizers/tokenizer_gguf.ts";
export * from "./tokenizers/tokenizer_stream.ts";
export * from "./tokenizers/tokenizer_to_gguf.ts";
export * from "../train/steps/trainer.ts";
export * from "./checkpoints/derived/wide_values.ts";
export * from "./checkpoints/write_checkpoint.ts";
