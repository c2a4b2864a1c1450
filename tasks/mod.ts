/**
 * Data sets, prompt templates, batch orders and metrics.
 *
 * @module
 */
export type { DataFileOptions } from "./data_file.ts";
export * from "./data_path.ts";
export * from "./files.ts";
export * from "./language_modelling.ts";
export * from "./metrics.ts";
export * from "./order.ts";
export * from "./paired.ts";
export * from "./permutation.ts";
export * from "./read_examples.ts";
export * from "./registry.ts";
export type { Row } from "./row.ts";
export type { PlacedRow } from "./row_reader.ts";
export * from "./split.ts";
export * from "./task.ts";
export * from "./template.ts";
export { type TextEncoding, textEncodings } from "./text_encoding.ts";
export * from "./tokenise.ts";
