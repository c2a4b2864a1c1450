/**
 * Training: the loop, evaluation, ledgers on disk, replay, configuration.
 *
 * @module
 */

export {
  type BenchmarkEvent,
  type BenchmarkPoint,
  type BenchmarkResult,
  benchmarkResult,
  finalLoss,
  runBenchmark,
} from "./comparison/benchmark.ts";
export {
  type Benchmark,
  type BenchmarkJob,
  parseBenchmark,
} from "./comparison/benchmark_config.ts";
export {
  type BenchmarkRow,
  benchmarkRows,
  benchmarkTable,
  spread,
} from "./comparison/benchmark_table.ts";
export {
  type CalibrationText,
  calibrationText,
  type CalibrationTextOptions,
} from "./calibration_text.ts";
export { chooseLayers } from "./runs/choose_layers.ts";
export {
  type ConfigKey,
  type ConfiguredOptimiser,
  type DataConfig,
  describeConfig,
  type DeviceConfig,
  formatOfFile,
  formatOfSplit,
  languageModelling,
  type LayerWord,
  type OptimiserConfig,
  optimiserOfConfig,
  parameterKeys,
  parseTrainConfig,
  PartOptions,
  type PathOptions,
  type QuantizeConfig,
  readTrainConfig,
  RESOLVED,
  type ScheduleConfig,
  type TaskConfig,
  taskOfConfig,
  type TrainablesConfig,
  type TrainConfig,
  trainConfigKeys,
} from "./config/mod.ts";
export { configToYaml } from "./config/write_yaml.ts";
export {
  compareEvaluations,
  type Comparison,
  evaluate,
  type EvaluateOptions,
  type Evaluation,
} from "./evaluate.ts";
export { assertExportable, type ExportReport, exportTuned, trainedTensors } from "./export.ts";
export { exportOffsets, tunedPath } from "./runs/export_run.ts";
export { stepsPerEpoch, withSteps } from "./runs/epochs.ts";
export {
  type EndEvent,
  type EvaluationEvent,
  finetune,
  type FinetuneOptions,
  type StepEvent,
  type TrainingEvent,
  trainingOrder,
} from "./finetune.ts";
export {
  finetuneByFunction,
  type HostObjectiveOptions,
  type HostObjectiveStep,
  type ObjectivePoint,
} from "./finetune_by_function.ts";
export { type LedgerEntry, LedgerFile, openLedger } from "./ledgers/ledger_file.ts";
export { type DeviceAttempt, type ReopeningOptions, withReopening } from "./runs/lost_device.ts";
export { ledgerHeader, type LedgerSubject } from "./ledgers/ledger_header.ts";
export { offsetsFor, type OffsetsForOptions } from "./probes/offsets_for.ts";
export {
  checkFiles,
  checkModelOutput,
  checkRunOutput,
  inputsOf,
  type OutputRules,
  type RunOutputRules,
} from "./runs/outputs.ts";
export { replayLedger, type ReplayLedgerOptions, replayOnHost } from "./ledgers/replay.ts";
export type { StepPace } from "./steps/pace.ts";
export { type BeginRunOptions, Run, type RunOptions } from "./runs/run.ts";
export { assertSameData, dataOfRun, leftOverOf, otherDataNote } from "./runs/run_data.ts";
export {
  bestEvaluation,
  type EvaluationMetrics,
  isOfRun,
  MetricsFile,
  readMetrics,
  type RunEvent,
  runEvent,
  type RunFolder,
  runFolder,
  type StepMetrics,
} from "./runs/run_folder.ts";
export { RunLock } from "./runs/run_lock.ts";
export {
  configuredSource,
  gpuOptions,
  openRunSession,
  type RunSession,
  type RunSessionOptions,
  selectionOfConfig,
} from "./runs/session.ts";
export {
  assertStorable,
  changeSizes,
  pairNotes,
  type Storable,
  storable,
  storableText,
} from "./runs/storable.ts";
export { StillSteps } from "./steps/still_steps.ts";
export {
  describeTask,
  type ExampleSet,
  type ExamplesProgress,
  predicted,
  type TaskExamples,
  taskExamples,
  type TaskExamplesOptions,
} from "./runs/task_examples.ts";
