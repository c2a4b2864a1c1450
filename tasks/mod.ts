/**
 * Data sets, prompt templates, batch orders and metrics.
 *
 * @module
 */
export type { DataFileOptions } from "./data/data_file.ts";
export { dataPath } from "./data/data_path.ts";
export {
  dataRows,
  type DataRowsOptions,
  loadTask,
  readDataFile,
  taskRows,
  type TaskRowsOptions,
} from "./files.ts";
export {
  assertWindow,
  documentTokens,
  documentWindow,
  languageModellingExamples,
  type LanguageModellingOptions,
  WindowStream,
} from "./language_modelling.ts";
export { loadExamples, type LoadExamplesOptions } from "./load_examples.ts";
export {
  type Accuracy,
  accuracy,
  argmax,
  bitsPerCharacter,
  macroF1,
  majorityShare,
  normaliseAnswer,
  perplexity,
  tokenF1,
} from "./metrics.ts";
export { type BatchOrder, batchOrder, type BatchOrderOptions, type LeftOver } from "./order.ts";
export { type AccuracyDifference, type Difference, pairedAccuracy, pairedMean } from "./paired.ts";
export { permutation, type PermutationUse } from "./permutation.ts";
export {
  type ExampleFormat,
  exampleFormats,
  readExamples,
  type ReadExamplesOptions,
} from "./data/read_examples.ts";
export { builtInTask, builtInTasks } from "./registry.ts";
export type { Row } from "./data/row.ts";
export type { PlacedRow } from "./data/row_reader.ts";
export { kShot, splitExamples, type SplitOptions, subsample } from "./split.ts";
export {
  type PlacedExample,
  readTask,
  renderRow,
  type Split,
  type Task,
  taskFromConfig,
} from "./task.ts";
export {
  type RenderedExample,
  renderExample,
  type TaskTemplate,
  templateFields,
} from "./template.ts";
export { type TextEncoding, textEncodings } from "./data/text_encoding.ts";
export {
  exampleOfTokens,
  longPromptTokens,
  type MeasuredExample,
  promptTokens,
  startTokens,
  textsOfExample,
  tokeniseExample,
  type TokeniseOptions,
} from "./tokenise.ts";
