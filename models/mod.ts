/**
 * Models: configuration, sources, forwards, loading, evaluation, training steps, generation, tokenizers.
 *
 * @module
 */

export * from "./adapter.ts";
export * from "./architecture.ts";
export * from "./architectures.ts";
export * from "./attempt.ts";
export * from "./batch.ts";
export * from "./calibration.ts";
export * from "./column_order.ts";
export * from "./chat_template.ts";
export * from "./config.ts";
export * from "./config_gguf.ts";
export * from "./config_hugging_face.ts";
export type { Fields, KeyRule, KeyTable, Note } from "./config_keys.ts";
export * from "./dominant_layer.ts";
export * from "./evaluator.ts";
export * from "./file_kinds.ts";
export * from "./file_source.ts";
export * from "./fingerprint.ts";
export * from "./forward.ts";
export * from "./gains.ts";
export * from "./generate.ts";
export * from "./head_order.ts";
export * from "./llama.ts";
export * from "./kept_share.ts";
export * from "./memory_plan.ts";
export * from "./model.ts";
export * from "./model_folder.ts";
export * from "./open.ts";
export * from "./quantization_methods.ts";
export * from "./quantize_method.ts";
export * from "./quantize_methods.ts";
export * from "./recorder.ts";
export * from "./rope_factors.ts";
export * from "./rope_scaling.ts";
export * from "./rope_table.ts";
export * from "./selection.ts";
export * from "./source.ts";
export * from "./source_calibrated.ts";
export * from "./source_gguf.ts";
export * from "./source_hugging_face.ts";
export * from "./quantization_plan.ts";
export * from "./source_decoded.ts";
export { quantizedSource, type QuantizedSourceOptions } from "./source_quantized.ts";
export * from "./source_folded.ts";
export * from "./step_clock.ts";
export * from "./stored_tensors.ts";
export * from "./stored_values.ts";
export * from "./special_tokens.ts";
export type { Surroundings } from "./tokenizer_template.ts";
export * from "./tokenizer.ts";
export * from "./tokenizer_gguf.ts";
export * from "./tokenizer_stream.ts";
export * from "./tokenizer_to_gguf.ts";
export * from "./trainer.ts";
export * from "./wide_values.ts";
export * from "./write_model.ts";
