/**
 * Data sets, prompt templates, batch orders and metrics.
 *
 * @module
 */
export type { DataFileOptions } from "./data/data_file.ts";
export * from "./data/data_path.ts";
export * from "./files.ts";
export * from "./language_modelling.ts";
export { loadExamples, type LoadExamplesOptions } from "./load_examples.ts";
export * from "./metrics.ts";
export * from "./order.ts";
export * from "./paired.ts";
export * from "./permutation.ts";
export * from "./data/read_examples.ts";
export * from "./registry.ts";
export type { Row } from "./data/row.ts";
export type { PlacedRow } from "./data/row_reader.ts";
export * from "./split.ts";
export * from "./task.ts";
export * from "./template.ts";
export { type TextEncoding, textEncodings } from "./data/text_encoding.ts";
export * from "./tokenise.ts";
