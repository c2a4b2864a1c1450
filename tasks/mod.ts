/**
 * Data sets, prompt templates, batch orders and metrics.
 *
 * @module
 */

export type { DataFileOptions } from "./data/data_file.ts";
export { dataPath } from "./data/data_path.ts";
export { demonstrationsFor, type Shots, withDemonstrations } from "./demonstrations.ts";
export {
  type ExampleFormat,
  exampleFormats,
  type ReadExamplesOptions,
} from "./data/example_format.ts";
export { readExamples } from "./data/read_examples.ts";
export type { Row } from "./data/row.ts";
export { type TextEncoding, textEncodings } from "./data/text_encoding.ts";
export { loadTask, type TaskRowsOptions } from "./files.ts";
export { maskedAnew } from "./masked_tokens.ts";
export { languageModellingExamples, type LanguageModellingOptions } from "./language_modelling.ts";
export { loadExamples, type LoadExamplesOptions } from "./load_examples.ts";
export { type Accuracy, accuracy, classF1, macroF1, majorityShare } from "./metrics/accuracy.ts";
export { exactMatch, normaliseAnswer, tokenF1 } from "./metrics/answers.ts";
export { type DropScores, dropScores } from "./metrics/drop.ts";
export { bitsPerCharacter, perplexity } from "./metrics/likelihood.ts";
export { type MetricName, metricNames, type Outcome, taskMetric } from "./metrics/task_metrics.ts";
export { type BatchOrder, batchOrder, type BatchOrderOptions, type LeftOver } from "./order.ts";
export { type AccuracyDifference, type Difference, pairedAccuracy, pairedMean } from "./paired.ts";
export { permutation, type PermutationUse } from "./permutation.ts";
export type { Reference } from "./reference.ts";
export { builtInTask, builtInTasks } from "./registry.ts";
export { kShot, splitExamples, type SplitOptions, subsample } from "./split.ts";
export { type Conversation, conversationOf } from "./supervised/conversation.ts";
export {
  type FormOfRow,
  type RecognisedForm,
  recogniseForm,
  type RecogniseOptions,
  type RowForm,
  rowForms,
} from "./supervised/row_form.ts";
export {
  supervisedExample,
  type SupervisedExampleOptions,
} from "./supervised/supervised_example.ts";
export type { SupervisedOptions } from "./supervised/supervised_row.ts";
export { type PublishedUse, readTask, type Split, type Task, taskFromConfig } from "./task.ts";
export { type RenderedExample, renderExample, type TaskTemplate } from "./template.ts";
export { tokeniseExample, type TokeniseOptions } from "./tokenise.ts";
