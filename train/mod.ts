/**
 * Training: the loop, evaluation, ledgers on disk, replay, configuration.
 *
 * @module
 */

export * from "./config.ts";
export * from "./evaluate.ts";
export * from "./export.ts";
export * from "./finetune.ts";
export * from "./ledger_file.ts";
export * from "./ledger_header.ts";
export * from "./replay.ts";
