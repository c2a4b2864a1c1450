/**
 * Data sets, prompt templates, batch orders and metrics.
 *
 * @module
 */
export * from "./files.ts";
export * from "./language_modelling.ts";
export * from "./metrics.ts";
export * from "./order.ts";
export * from "./permutation.ts";
export * from "./read_examples.ts";
export * from "./registry.ts";
export type { Row } from "./row.ts";
export * from "./split.ts";
export * from "./task.ts";
export * from "./template.ts";
export * from "./tokenise.ts";
