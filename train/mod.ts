/**
 * Training: the loop, evaluation, ledgers on disk, replay, configuration.
 *
 * @module
 */

export * from "./benchmark.ts";
export * from "./benchmark_config.ts";
export * from "./benchmark_table.ts";
export * from "./calibration_text.ts";
export * from "./choose_layers.ts";
export * from "./config.ts";
export * from "./config_yaml.ts";
export * from "./evaluate.ts";
export * from "./export.ts";
export * from "./export_run.ts";
export * from "./epochs.ts";
export * from "./finetune.ts";
export * from "./host_objective.ts";
export * from "./ledger_file.ts";
export * from "./lost_device.ts";
export * from "./ledger_header.ts";
export * from "./offsets_for.ts";
export * from "./outputs.ts";
export * from "./replay.ts";
export type { StepPace } from "./pace.ts";
export * from "./run.ts";
export * from "./run_data.ts";
export * from "./run_folder.ts";
export * from "./run_lock.ts";
export * from "./session.ts";
export * from "./storable.ts";
export * from "./still_steps.ts";
export * from "./task_examples.ts";
