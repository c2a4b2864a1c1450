/**
 * The section `task` of a configuration.
 *
 * @module
 */
import type { Objective } from "../../models/batch.ts";
import { type LossPart, lossParts } from "../../models/tokenizers/chat_answers.ts";
import { chatTemplateNames } from "../../models/tokenizers/named_chat_templates.ts";
import { type ExampleFormat, exampleFormats } from "../../tasks/data/example_format.ts";
import { separatorOf } from "../../tasks/data/separator.ts";
import { assertDistinct } from "../../tasks/distinct_texts.ts";
import {
  choice,
  custom,
  type Field,
  list,
  type Place,
  refusal,
  section,
  sourceOf,
  text,
} from "./field.ts";
import { readTaskName, taskNames } from "./names.ts";

/**
 * The task to learn: a built-in task, a kind of fine-tuning data, or a template with labels or candidates. If none is given, the fields of the
 * data determine the task; otherwise it is language modelling.
 */
export interface TaskConfig {
  /** Name of a built-in task, such as `sst2`, or `language-modelling`, `chat`, `instruction` or `completion`. With a template, only a label. */
  readonly name?: string;
  /** Format of the files. Undefined: by their extension. */
  readonly format?: ExampleFormat;
  /** Names of a table's columns, if its first line does not contain them. */
  readonly columns?: readonly string[];
  /** Separator of a table's cells. Undefined: detected for csv, a tab for tsv. */
  readonly separator?: string;
  /** Text with fields of an example in braces, such as `{sentence} It was{label}`. */
  readonly template?: string;
  /** Name of the field that contains the label. */
  readonly labelField?: string;
  /** The text of each label, such as ` great` for `1`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Templates of the candidates, for data that contain their own choices. */
  readonly candidates?: readonly string[];
  /** Template of the text to generate, such as ` {summary}` and a line feed. */
  readonly answer?: string;
  /** For conversations and instructions: the name of a chat template, or a Jinja file. Undefined: the model's own template. */
  readonly chatTemplate?: string;
  /** For conversations, instructions and completions: the tokens that count in the loss. Undefined: the answers. */
  readonly loss?: LossPart;
  /** The loss of training. Undefined: classification if there are candidates. */
  readonly objective?: Objective;
  /** Use published numbers of examples and the published objective. Undefined: use all examples. */
  readonly protocol?: "mezo";
}

/** The section `task`. */
export const taskSection: Field<TaskConfig> = section<TaskConfig>("What is learned", {
  name: custom(
    "a built-in task, or language-modelling, chat, instruction or completion; if not given, recognised from the fields of the data; `task: sst2` is shorthand for `task.name`",
    "text",
    readTaskName,
    taskNames,
  ),
  format: choice("format of the files; if not given, taken from their extension", exampleFormats),
  columns: list("column names of a table, if its first line does not give them", text("")),
  separator: custom(
    "separator between table cells; if not given, detected from the start of the file",
    "one character, or tab",
    (value) => typeof value === "string" ? separatorOf(value) : undefined,
  ),
  template: text(
    "prompt with field names in braces, {a.b} for nested fields: {sentence} It was{label}",
  ),
  labelField: text("field that holds the label, a.b for a nested field; `label` if not given"),
  labels: custom(
    "the text to write for each label: a list, or `label: word` pairs",
    "a list of words or a section of label: word",
    readLabels,
  ),
  candidates: list(
    "templates for the answer choices, for data that supplies its own choices; a field that holds a list makes one choice of each item",
    text(""),
  ),
  answer: text(
    "template for an answer that is written instead of chosen; a field that holds a list gives the text to learn first, then others that count as right",
  ),
  chatTemplate: text(
    `chat template for conversations and instructions: a Jinja file, or one of ${
      chatTemplateNames.join(", ")
    }; the model's own if not given`,
  ),
  loss: choice(
    "what the loss is computed on: the answers (assistant messages, completions), the last answer, or everything; answers if not given",
    lossParts,
  ),
  objective: choice(
    "what training minimises: classification (the loss over the candidates) or language-modelling (the loss of the right answer's tokens); classification if there are candidates",
    ["classification", "language-modelling"],
  ),
  protocol: choice(
    "mezo: sizes and objective as in the tables of MeZO and QZO, with 1,000 training and 500 held-out examples from the training file, and 1,000 test examples from the validation file",
    ["mezo"],
  ),
});

const mostLabels = 10_000;

function readLabels(value: unknown, place: Place): Readonly<Record<string, string>> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Array.isArray(value)
    ? value.map((word, index): [string, unknown] => [String(index), word])
    : Object.entries(value);
  if (entries.length < 2 || entries.length > mostLabels) {
    throw new RangeError(refusal(place, value, `2 to ${mostLabels} labels`));
  }
  const spoken = entries.find(([, word]) => typeof word === "boolean" || typeof word === "number");
  if (spoken !== undefined) {
    throw new TypeError(
      refusal(
        place,
        spoken[1],
        `words; put quotes around it: "${spoken[1]}", exactly as it should be written`,
      ),
    );
  }
  if (!entries.every(isLabelWord)) return undefined;
  assertDistinct(entries, "labels", `use ${place.path.join(".")} in ${sourceOf(place)}`);
  return Object.fromEntries(entries);
}

function isLabelWord(entry: [string, unknown]): entry is [string, string] {
  return typeof entry[1] === "string" && entry[1] !== "";
}
