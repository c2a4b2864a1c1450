/**
 * Models: configuration, sources, forwards, loading, evaluation, training steps, generation, tokenizers.
 *
 * @module
 */

export { adaptedSource, writeAdapter } from "./checkpoints/derived/tuned_values.ts";
export type {
  Architecture,
  ChannelScaling,
  Constant,
  GgufForm,
  HuggingFaceForm,
  ReadAbout,
  Weight,
  WeightRole,
} from "./architecture.ts";
export { architectureOf, ARCHITECTURES, weightsOf } from "./architectures.ts";
export {
  type Attempt,
  attempting,
  attemptingNow,
  inWords,
  isFromSystem,
  isOsError,
} from "./checkpoints/disk/attempt.ts";
export {
  assertBatchFits,
  type Example,
  exampleCost,
  type Objective,
  packBatch,
  type PackedBatch,
  roundedCapacity,
} from "./batch.ts";
export {
  calibrate,
  type CalibrationBlock,
  type CalibrationOptions,
} from "./inference/calibration/calibrate.ts";
export { ColumnOrders } from "./inference/column_orders.ts";
export {
  chatEnds,
  type ChatMessage,
  type ChatOptions,
  chatText,
  chatTokens,
} from "./tokenizers/chat_template.ts";
export type { ModelConfig, RopeScaling } from "./model_config.ts";
export { configFromGguf, GGUF_GENERAL_KEYS } from "./config/config_gguf.ts";
export { configFromHuggingFace, saysUntied } from "./config/config_hugging_face.ts";
export type { Fields, KeyRule, KeyTable, Note } from "./config/config_keys.ts";
export {
  type Dominance,
  dominances,
  type DominantLayer,
  dominantLayer,
  type DominantLayerOptions,
} from "../train/probes/dominant_layer.ts";
export { type BatchResult, Evaluator, recordEvaluation } from "./inference/evaluator.ts";
export {
  checkFile,
  FILE_KINDS,
  type FileFacts,
  type FileKind,
  type FileKindName,
  readingOf,
} from "./checkpoints/disk/file_kinds.ts";
export {
  type FileSource,
  openFile,
  type PlacedBytes,
  syncFolder,
  writeFileWhole,
} from "./checkpoints/disk/files.ts";
export {
  asLoaded,
  BaseHash,
  type BaseIdentity,
  fingerprint,
  fingerprintLike,
  type HashedModel,
  loadedFormat,
  olderFingerprint,
  rememberFingerprint,
} from "./checkpoints/fingerprint.ts";
export {
  forwardContext,
  type ForwardModel,
  type ForwardOffsets,
  LOGITS_BYTES,
  type LossTarget,
  recorderOf,
  recordLogits,
  recordLoss,
} from "./forward.ts";
export {
  gainForwards,
  measureGains,
  type MeasureGainsOptions,
  slopesOf,
} from "../train/probes/gains.ts";
export {
  generate,
  type GeneratedToken,
  type GenerateOptions,
  sampler,
} from "./inference/generate.ts";
export { headsToReorder, reorderHeads } from "./checkpoints/head_order.ts";
export {
  llama,
  type LlamaConfig,
  type LongRope,
  opt,
  type OptConfig,
  phi3,
  type Phi3Config,
  qwen2,
  qwen3,
} from "./architectures/mod.ts";
export {
  type KeptChange,
  keptOfRows,
  keptShare,
  shareOf,
} from "./checkpoints/derived/kept_share.ts";
export {
  type MemoryPlan,
  type MemoryPlanOptions,
  modelOfShape,
  planMemory,
} from "../train/steps/memory_plan.ts";
export {
  assertNotDisposed,
  loadConstants,
  loadModel,
  type LoadOptions,
  type LoadProgress,
  loadTensors,
  Model,
  type ModelPlan,
  planModel,
} from "./inference/model.ts";
export { type FolderPart, folderPart } from "./checkpoints/hugging_face/model_folder.ts";
export { openModelSource } from "./checkpoints/open.ts";
export { QUANTIZATION_METHODS, quantizedTensors } from "./checkpoints/hugging_face/methods.ts";
export {
  type BlockWork,
  heldTensor,
  layerErrors,
  layerMethod,
  type MethodOptions,
  type QuantizedLayer,
  type QuantizeMethod,
} from "./inference/calibration/method.ts";
export { QUANTIZE_METHODS, quantizeMethodByName } from "./inference/calibration/methods.ts";
export {
  GraphRecorder,
  type Hidden,
  type KeyValueCache,
  type NormShape,
  type Recorder,
  type RecorderOptions,
  type Rotation,
} from "./recorder.ts";
export { readRopeFactors } from "./checkpoints/rope_factors.ts";
export { ROPE_FACTORS_NAME, ropeFactorsOf, scalingOfRopeFactors } from "./rope_scaling.ts";
export {
  ropeFrequencies,
  ropeTable,
  type RotaryShape,
  scaledFrequency,
  unscaledFrequencies,
} from "./rope_table.ts";
export {
  planOffsets,
  type SelectableModel,
  type Selection,
  selectTrainables,
  type TrainableKind,
  trainableKinds,
  type WantedOffsets,
} from "../train/selection.ts";
export {
  forCaller,
  isForCaller,
  type ModelSource,
  rowsOf,
  rowsPerPiece,
  type StoredFolder,
  type TensorSource,
  type TokenizerFiles,
} from "./checkpoints/checkpoint.ts";
export {
  calibratedSource,
  type CalibratedSourceOptions,
  type CalibratedStream,
  calibratedStream,
  type MethodName,
} from "./inference/calibration/calibrated.ts";
export { ggufModelSource } from "./checkpoints/gguf/open_gguf.ts";
export { huggingFaceModelSource } from "./checkpoints/hugging_face/open_folder.ts";
export {
  assertNotQuantized,
  quantizationNotes,
  quantizationOf,
  quantizationReason,
  type TensorQuantization,
  type WantedFormats,
} from "./checkpoints/derived/quantization_plan.ts";
export { kindOf } from "./checkpoints/tensor_kind.ts";
export { decodedSource } from "./checkpoints/derived/decoded.ts";
export { quantizedSource, type QuantizedSourceOptions } from "./checkpoints/derived/quantised.ts";
export { foldedSource } from "./checkpoints/derived/folded.ts";
export { type DeviceSpan, parseTimes, StepClock } from "../train/steps/step_clock.ts";
export type {
  QuantizationMethod,
  QuantizedTensors,
  StoredTensorPlace,
  StoredTensors,
  WantedTensor,
} from "./checkpoints/hugging_face/stored_tensors.ts";
export {
  type FilePatch,
  type FoldCounts,
  foldStored,
  storedFloats,
  type StoredFold,
  type StoredParts,
  type StoredValues,
  type TrainedTensor,
} from "./checkpoints/stored_values.ts";
export {
  bringsStart,
  type SpecialTokenFiles,
  type SpecialTokens,
  specialTokensOf,
  type StartingTokenizer,
  startText,
  tokenText,
  withoutStart,
  withStart,
} from "./tokenizers/special_tokens.ts";
export type { Surroundings } from "./tokenizers/components/tokenizer_template.ts";
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
export { stagingFor, Trainer } from "../train/steps/trainer.ts";
export {
  exactlyQuantizedSource,
  type ExactPlan,
  exactPlan,
} from "./checkpoints/derived/wide_values.ts";
export {
  assertWritable,
  type FoldWriteOptions,
  modelAsGguf,
  type TargetKind,
  targetKind,
  writeModel,
  type WriteOptions,
  type WriteReport,
} from "./checkpoints/write_checkpoint.ts";
