/**
 * QZO for Deno: fine-tunes quantised language models with forward passes only, on any GPU that WebGPU reaches.
 *
 * This entry has what a script usually needs; the rooms (`@qzo/qzo/quant`, `/optim`, `/kernels`, `/models`, `/tasks`, `/train`) have the
 * rest.
 *
 * @example Fine-tune, keep the ledger, write the tuned model
 * ```ts no-eval
 * import * as qzo from "@qzo/qzo";
 *
 * using gpu = await qzo.openGpu();
 * using source = await qzo.openModelSource("model.gguf");
 * using model = await qzo.loadModel(gpu, source);
 * const train = await qzo.loadExamples(model.tokenizer, "sst2", "train", "data/sst2");
 * const optimiser = qzo.qzoNormalised();
 * using offsets = await qzo.offsetsFor(model, optimiser);
 * using ledger = await qzo.LedgerFile.create("run.ledger", { model, optimiser, offsets });
 * const run = { model, optimiser, offsets, ledger, train, steps: 500 };
 * for await (const event of qzo.finetune({ ...run, objective: "classification" })) {
 *   if (event.type === "step") console.log(event.step, event.loss);
 * }
 * await qzo.exportTuned(source, offsets, "tuned.gguf");
 * ```
 *
 * @module
 */

export {
  type Gpu,
  type GpuOptions,
  NoAdapterError,
  type OffsetSet,
  openGpu,
} from "./kernels/mod.ts";
export type { FormatName } from "./quant/mod.ts";
export {
  calibratedSource,
  type CalibratedSourceOptions,
  calibratedStream,
  type ChatEnds,
  chatEnds,
  type ChatMessage,
  type ChatOptions,
  chatTokens,
  type Example,
  type FoldWriteOptions,
  generate,
  type GeneratedToken,
  type GenerateOptions,
  loadModel,
  type LoadOptions,
  type Model,
  type ModelSource,
  openModelSource,
  type PromptMemory,
  promptMemory,
  quantizedSource,
  type QuantizedSourceOptions,
  writeModel,
  type WriteOptions,
} from "./models/mod.ts";
export { planOffsets, type Selection, selectTrainables } from "./train/selection.ts";
export { type MemoryPlanOptions, planMemory } from "./train/steps/memory_plan.ts";
export {
  chain,
  clipDerivative,
  constant,
  type ConstantOptions,
  cosine,
  type DecayOptions,
  linear,
  mezo,
  minimise,
  type MinimiseOptions,
  type NamedOptions,
  NonFiniteLossError,
  normaliseByRms,
  type NormaliseByRmsOptions,
  oneSided,
  type OneSidedOptions,
  type Optimiser,
  optimiser,
  type OptimiserOptions,
  qzo,
  qzoNormalised,
  type QzoNormalisedOptions,
  type QzoOptions,
  qzoPlus,
  type QzoPlusOptions,
  scaleBySchedule,
  Session,
  type SessionOptions,
  signDerivative,
  spsa,
  type SpsaOptions,
} from "./optim/mod.ts";
export {
  builtInTask,
  builtInTasks,
  languageModellingExamples,
  type LanguageModellingOptions,
  loadExamples,
  type LoadExamplesOptions,
  loadTask,
  readExamples,
  type ReadExamplesOptions,
  renderExample,
  supervisedExample,
  type SupervisedExampleOptions,
  type TaskRowsOptions,
  tokeniseExample,
  type TokeniseOptions,
} from "./tasks/mod.ts";
export {
  calibrationText,
  type CalibrationTextOptions,
  evaluate,
  type EvaluateOptions,
  exportTuned,
  finetune,
  finetuneByFunction,
  type FinetuneOptions,
  type HostObjectiveOptions,
  LedgerFile,
  ledgerHeader,
  offsetsFor,
  type OffsetsForOptions,
  openLedger,
  replayLedger,
  type ReplayLedgerOptions,
  replayOnHost,
  trainedTensors,
  type TrainingEvent,
} from "./train/mod.ts";
