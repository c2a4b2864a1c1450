/**
 * QZO for Deno: fine-tunes quantised language models with forward passes only, on any GPU that WebGPU reaches.
 *
 * This entry has what a script usually needs; the rooms (`@qzo/qzo/quant`, `/optim`, `/kernels`, `/models`, `/tasks`, `/train`) have the
 * rest.
 *
 * @example Fine-tune, keep the ledger, write the tuned model
 * ```ts no-eval
 * import { builtInTask, exportTuned, finetune, ledgerHeader, LedgerFile, loadModel, loadTask, openGpu } from "@qzo/qzo";
 * import { openModelSource, planOffsets, qzoNormalised, tokeniseExample, trainedTensors } from "@qzo/qzo";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("model.gguf");
 * using model = await loadModel(gpu, source);
 * const texts = await loadTask(builtInTask("sst2"), "train", "data/sst2");
 * const train = texts.map((text) => tokeniseExample(model.tokenizer!, text));
 * const optimiser = qzoNormalised();
 * using offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
 * using ledger = await LedgerFile.create("run.ledger", ledgerHeader({ model, optimiser, offsets }));
 * for await (const event of finetune({ model, optimiser, offsets, objective: "classification", train, steps: 500, ledger })) {
 *   if (event.type === "step") console.log(event.step, event.loss);
 * }
 * await exportTuned(source, trainedTensors(offsets.trainables, await offsets.read(gpu)), "tuned.gguf");
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
  type Example,
  type FoldWriteOptions,
  generate,
  type GeneratedToken,
  type GenerateOptions,
  loadModel,
  type LoadOptions,
  type MemoryPlanOptions,
  type Model,
  type ModelSource,
  openModelSource,
  planMemory,
  planOffsets,
  type PromptMemory,
  promptMemory,
  quantizedSource,
  type QuantizedSourceOptions,
  type Selection,
  selectTrainables,
  writeModel,
  type WriteOptions,
} from "./models/mod.ts";
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
  loadTask,
  readExamples,
  type ReadExamplesOptions,
  renderExample,
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
