/**
 * Models: configuration, sources, forward passes, loading, evaluation, training steps, generation, tokenizers.
 *
 * @module
 */

export { describeAdapter, describedAdapter, type FittedAdapter } from "./adapters/adapted.ts";
export { initialValues } from "./adapters/initial_values.ts";
export { ia3Adapter, type Ia3Options, type Ia3Plan, type Ia3Vector } from "./adapters/ia3.ts";
export { loraAdapter, type LoraOptions } from "./adapters/lora.ts";
export { type AdapterInMix, mixedAdapter } from "./adapters/mixed.ts";
export { type LoraMatrix, type LoraPlan } from "./adapters/lora_plan.ts";
export { prefixAdapter, type PrefixOptions, type PrefixPlan } from "./adapters/prefix.ts";
export { promptAdapter, type PromptOptions, type PromptPlan } from "./adapters/prompt.ts";
export type {
  Adapter,
  AdapterPlan,
  AdapterSettings,
  AdapterStart,
  AdapterTensor,
  ForwardHooks,
  InitialValues,
  Lead,
  LinearStep,
  MergedAdapter,
  MergedRows,
  Started,
} from "./adapters/scheme.ts";
export { type AdapterSchemeName, adapterSchemeNames } from "./adapters/schemes.ts";
export type { Sight, WeightRole } from "./architecture.ts";
export {
  type BatchRoom,
  type Example,
  type Objective,
  packBatch,
  type PackedBatch,
} from "./batch.ts";
export { withSecond } from "./second_batch.ts";
export type {
  ModelSource,
  StoredFolder,
  TensorSource,
  TokenizerFiles,
} from "./checkpoints/checkpoint.ts";
export { openAdapter, type OpenedAdapter } from "./checkpoints/adapters/open_adapter.ts";
export type { AdapterToWrite } from "./checkpoints/adapters/tuned_adapter.ts";
export { writePeft } from "./checkpoints/adapters/write_peft.ts";
export { decodedSource } from "./checkpoints/derived/decoded.ts";
export { mergedSource, type MergeOptions } from "./checkpoints/derived/merged.ts";
export { quantizedSource, type QuantizedSourceOptions } from "./checkpoints/derived/quantised.ts";
export type { WantedFormats } from "./checkpoints/derived/quantization_plan.ts";
export { writeAdapter } from "./checkpoints/derived/tuned_values.ts";
export { exactlyQuantizedSource } from "./checkpoints/derived/wide_values.ts";
export { type Attempt, attempting } from "./checkpoints/disk/attempt.ts";
export type { FileSource } from "./checkpoints/disk/files.ts";
export { type TargetKind, targetKind } from "./checkpoints/disk/target_kind.ts";
export { type BaseIdentity, fingerprint, type HashedModel } from "./checkpoints/fingerprint.ts";
export { type FolderPart, folderPart } from "./checkpoints/hugging_face/model_folder.ts";
export { openModelSource } from "./checkpoints/open.ts";
export type {
  FilePatch,
  FoldCounts,
  StoredParts,
  StoredValues,
  TrainedTensor,
} from "./checkpoints/stored_values.ts";
export { assertWritable, writeModel, type WriteReport } from "./checkpoints/write_checkpoint.ts";
export type { FoldWriteOptions, WriteOptions } from "./checkpoints/write_options.ts";
export { configFromHuggingFace } from "./config/config_hugging_face.ts";
export type { Note } from "./config/config_keys.ts";
export type { ForwardModel } from "./forward.ts";
export {
  calibratedSource,
  type CalibratedSourceOptions,
  type CalibratedStream,
  calibratedStream,
  type MethodName,
} from "./inference/calibration/calibrated.ts";
export type { MethodOptions, QuantizedLayer } from "./inference/calibration/method.ts";
export { ColumnOrders } from "./inference/column_orders.ts";
export { type BatchResult, Evaluator } from "./inference/evaluator.ts";
export { generate, type GeneratedToken, type GenerateOptions } from "./inference/generate.ts";
export { type PromptMemory, promptMemory } from "./inference/prompt_memory.ts";
export {
  type PenaltyOptions,
  sampler,
  type SamplingOptions,
  tokenProbabilities,
  type TokenProbability,
} from "./inference/sampling.ts";
export {
  loadModel,
  type LoadOptions,
  type LoadProgress,
  Model,
  type ModelPlan,
} from "./inference/model.ts";
export { startedAdapter } from "./inference/start_adapter.ts";
export { type ModelConfig, type RopeScaling, windowOf } from "./model_config.ts";
export type { Hidden, KeyValueCache, RecorderOptions } from "./recorder.ts";
export { ropeFactorsOf } from "./rope_scaling.ts";
export type { RotaryShape } from "./rope_table.ts";
export {
  type LossPart,
  lossParts,
  scoredChat,
  type ScoredChatOptions,
  type ScoredText,
} from "./tokenizers/chat_answers.ts";
export {
  type ChatEnds,
  chatEnds,
  type ChatMessage,
  type ChatOptions,
  chatText,
  type ChatTokenizer,
  chatTokens,
} from "./tokenizers/chat_template.ts";
export type { Surroundings } from "./tokenizers/components/tokenizer_template.ts";
export { chatTemplateNames } from "./tokenizers/named_chat_templates.ts";
export type { SpecialTokenFiles, SpecialTokens } from "./tokenizers/special_tokens.ts";
export {
  type DecodeOptions,
  type EncodeOptions,
  type Tokenizer,
  tokenizerFromJson,
  type TokenizerOptions,
} from "./tokenizers/tokenizer.ts";
export {
  type SpelledTokenizer,
  tokenizerFromGguf,
  tokenizerJsonFromGguf,
} from "./tokenizers/tokenizer_gguf.ts";
export { type StreamDecoder, streamDecoder } from "./tokenizers/tokenizer_stream.ts";
export {
  type TokenizerMetadata,
  tokenizerToGguf,
  type TokenizerToGgufOptions,
} from "./tokenizers/tokenizer_to_gguf.ts";
