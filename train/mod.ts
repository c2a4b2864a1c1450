/**
 * Training: the loop, evaluation, ledgers on disk, replay, configuration.
 *
 * @module
 */

export {
  type CalibrationText,
  calibrationText,
  type CalibrationTextOptions,
} from "./calibration_text.ts";
export {
  type BenchmarkEvent,
  type BenchmarkPoint,
  type BenchmarkResult,
  runBenchmark,
} from "./comparison/benchmark.ts";
export {
  type Benchmark,
  type BenchmarkJob,
  parseBenchmark,
} from "./comparison/benchmark_config.ts";
export { type BenchmarkRow, benchmarkTable } from "./comparison/benchmark_table.ts";
export type { ConfigKey } from "./config/field.ts";
export type { LayerWord } from "./config/names.ts";
export { type ConfiguredOptimiser, optimiserOfConfig } from "./config/optimiser.ts";
export {
  type OptimiserConfig,
  PartOptions,
  type ScheduleConfig,
} from "./config/optimiser_schema.ts";
export type { PathOptions } from "./config/paths.ts";
export type {
  AdapterSections,
  BaseSchemeName,
  MixedSchemeName,
  SchemeName,
} from "./config/scheme_schema.ts";
export type { GroupConfig, GroupsConfig } from "./config/group_schema.ts";
export {
  type DataConfig,
  describeConfig,
  type DeviceConfig,
  parseTrainConfig,
  type QuantizeConfig,
  type TaskConfig,
  type TrainablesConfig,
  type TrainConfig,
  trainConfigKeys,
} from "./config/schema.ts";
export { formOfConfig, taskOfConfig } from "./config/task.ts";
export { configToYaml } from "./config/write_yaml.ts";
export { evaluate, type EvaluateOptions, type Evaluation } from "./evaluate.ts";
export {
  evaluateTask,
  type EvaluateTaskOptions,
  type JudgedExamples,
  type JudgedTask,
  metricsOf,
  type TaskEvaluation,
} from "./evaluate_task.ts";
export { assertExportable, type ExportReport, exportTuned, trainedTensors } from "./export.ts";
export type { Checkpoints } from "./steps/record_step.ts";
export type {
  EndEvent,
  EvaluationEvent,
  StepEvent,
  TrainingEvent,
} from "./steps/training_events.ts";
export { finetune, type FinetuneOptions } from "./finetune.ts";
export {
  finetuneByFunction,
  type HostObjectiveOptions,
  type HostObjectiveStep,
  type ObjectivePoint,
} from "./finetune_by_function.ts";
export { metricObjective, type MetricObjectiveOptions } from "./metric_objective.ts";
export { type LedgerEntry, LedgerFile, openLedger } from "./ledgers/ledger_file.ts";
export { exportAdapter } from "./export_adapter.ts";
export { exportMerged, type MergedWriteOptions } from "./export_merged.ts";
export { adapterOfLedger } from "./ledgers/ledger_adapter.ts";
export { ledgerHeader, type LedgerSubject } from "./ledgers/ledger_header.ts";
export { type FineTune, offsetsAfter, openFineTune } from "./ledgers/fine_tune_file.ts";
export { StateFile, type StateToSave } from "./ledgers/state_file.ts";
export { replayLedger, type ReplayLedgerOptions, replayOnHost } from "./ledgers/replay.ts";
export {
  type Dominance,
  type DominantLayer,
  dominantLayer,
  type DominantLayerOptions,
} from "./probes/dominant_layer.ts";
export { measureGains, type MeasureGainsOptions } from "./probes/gains.ts";
export { offsetsFor, type OffsetsForOptions } from "./probes/offsets_for.ts";
export type { ExamplesProgress } from "./runs/example_file.ts";
export {
  type DecidedRun,
  type DecideOptions,
  decideRun,
  decideSteps,
  type Decision,
} from "./runs/decide_run.ts";
export { exportOffsets } from "./runs/export_run.ts";
export { type DeviceAttempt, type ReopeningOptions, withReopening } from "./runs/lost_device.ts";
export { type RecognisedTask, recogniseTask } from "./runs/recognise_task.ts";
export { Run } from "./runs/run.ts";
export {
  type EvaluationMetrics,
  MetricsFile,
  readMetrics,
  type RunEvent,
  type RunFolder,
  runFolder,
  type StepMetrics,
} from "./runs/run_folder.ts";
export {
  type AdapterShare,
  configuredAdapter,
  configuredSource,
  openRunSession,
  type RunSession,
  type RunSessionOptions,
  selectionOfConfig,
} from "./runs/session.ts";
export type { Storable } from "./runs/storable.ts";
export {
  type ExampleSet,
  type TaskExamples,
  taskExamples,
  type TaskExamplesOptions,
} from "./runs/task_examples.ts";
export {
  type BaseKind,
  type LayerRange,
  planOffsets,
  type SelectableModel,
  type Selection,
  selectTrainables,
  type TrainableKind,
  type WantedOffsets,
} from "./selection.ts";
export { type MemoryPlan, type MemoryPlanOptions, planMemory } from "./steps/memory_plan.ts";
export type { ExampleIn } from "./steps/chunk_queue.ts";
export type { StepPace } from "./steps/pace.ts";
export type { DeviceSpan } from "./steps/step_clock.ts";
export { StillSteps } from "./steps/still_steps.ts";
