/**
 * Training: the loop, evaluation, ledgers on disk, replay, configuration.
 *
 * @module
 */

export * from "./comparison/benchmark.ts";
export * from "./comparison/benchmark_config.ts";
export * from "./comparison/benchmark_table.ts";
export * from "./calibration_text.ts";
export * from "./runs/choose_layers.ts";
export * from "./config/mod.ts";
export * from "./config/write_yaml.ts";
export * from "./evaluate.ts";
export * from "./export.ts";
export * from "./runs/export_run.ts";
export * from "./runs/epochs.ts";
export * from "./finetune.ts";
export * from "./finetune_by_function.ts";
export * from "./ledgers/ledger_file.ts";
export * from "./runs/lost_device.ts";
export * from "./ledgers/ledger_header.ts";
export * from "./probes/offsets_for.ts";
export * from "./runs/outputs.ts";
export * from "./ledgers/replay.ts";
export type { StepPace } from "./steps/pace.ts";
export * from "./runs/run.ts";
export * from "./runs/run_data.ts";
export * from "./runs/run_folder.ts";
export * from "./runs/run_lock.ts";
export * from "./runs/session.ts";
export * from "./runs/storable.ts";
export * from "./steps/still_steps.ts";
export * from "./runs/task_examples.ts";
