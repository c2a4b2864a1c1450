/**
 * The forms of fine-tuning data, recognised by the names of their fields.
 *
 * @module
 */
import { fieldNames, type Row } from "../data/row.ts";

/** The forms that can be named as a task. Rows with only a `text` field are language modelling. */
export const rowForms = ["chat", "instruction", "completion"] as const;

/**
 * A form of rows:
 * - `chat`: `messages` (objects with `role` and `content`), ShareGPT's `conversations` (`from` and `value`), or `prompt` and `completion` that
 *   are lists of messages;
 * - `instruction`: `instruction` with `output` or `response`, and optionally `input` or `context`; or `question` with `answer` or `response`;
 * - `completion`: `prompt` with `completion` or `response`.
 */
export type RowForm = (typeof rowForms)[number];

/** Names of the fields that contain conversations, in order of precedence. */
export const conversationFields = ["messages", "conversations", "conversation"] as const;

/** Pairs of fields by form: the request, and the fields that may contain the answer. */
export const pairFields = {
  instruction: [
    { asked: "instruction", answered: ["output", "response"], more: ["input", "context"] },
    { asked: "question", answered: ["answer", "response"], more: [] },
  ],
  completion: [{ asked: "prompt", answered: ["completion", "response"], more: [] }],
} as const;

/** A form, with the fields by which it was recognised. */
export interface FormOfRow {
  /** The form; `text` is language modelling. */
  readonly form: RowForm | "text";
  /** The fields. */
  readonly fields: readonly string[];
}

/** All forms whose fields a row has. */
export function formsOfRow(row: Row): FormOfRow[] {
  const found: FormOfRow[] = [];
  const add = (form: FormOfRow["form"], ...fields: string[]) => found.push({ form, fields });
  const conversation = conversationFields.find((name) => isMessages(row[name]));
  if (conversation !== undefined) add("chat", conversation);
  for (const { asked, answered, more } of pairFields.instruction) {
    const answer = answered.find((name) => isText(row[name]));
    if (isText(row[asked]) && answer !== undefined) {
      add("instruction", asked, ...more.filter((name) => isText(row[name])), answer);
    }
  }
  for (const { asked, answered } of pairFields.completion) {
    const answer = answered.find((name) => isText(row[name]) || isMessages(row[name]));
    if (answer === undefined) continue;
    if (isText(row[asked]) && isText(row[answer])) add("completion", asked, answer);
    else if (isMessages(row[asked]) && isMessages(row[answer])) add("chat", asked, answer);
  }
  if (isText(row.text)) add("text", "text");
  return found;
}

/** The form that was recognised. */
export interface RecognisedForm {
  /** The form; `text` is language modelling. */
  readonly form: RowForm | "text";
  /** The fields by which it was recognised. */
  readonly fields: readonly string[];
}

/** Options for recognising a form. */
export interface RecogniseOptions {
  /** Name of the data in errors. Default "the data". */
  readonly name?: string | undefined;
  /** Other tasks that the rows fit, by the names that `task` accepts, such as those of built-in tasks. Default: none. */
  readonly others?: readonly string[] | undefined;
}

/**
 * Recognises the form of rows by the names of their fields. Undefined if they have the fields of no form, or of exactly one of the `others`.
 *
 * @param rows Some of the data. All rows must agree.
 * @throws {RangeError} for rows that fit several forms, listing them, and for pairs of a preferred and a rejected answer, which are not
 * supported.
 *
 * @example Conversations, and an ambiguous case
 * ```ts
 * import { recogniseForm } from "@qzo/qzo/tasks";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const row = { messages: [{ role: "user", content: "Hi" }, { role: "assistant", content: "Hello" }] };
 * assertEquals(recogniseForm([row])?.form, "chat");
 * const both = { instruction: "Add", output: "3", text: "Add: 3" };
 * assertThrows(() => recogniseForm([both]), RangeError, "task instruction");
 * ```
 */
export function recogniseForm(
  rows: readonly Row[],
  { name = "the data", others = [] }: RecogniseOptions = {},
): RecognisedForm | undefined {
  const [first, ...more] = rows;
  if (first === undefined) return undefined;
  const found = formsOfRow(first).filter(({ form }) =>
    more.every((row) => formsOfRow(row).some((it) => it.form === form))
  );
  if (["chosen", "rejected"].every((field) => Object.hasOwn(first, field))) {
    throw new RangeError(
      `Cannot learn from ${name}: its rows contain a chosen and a rejected answer, but preference training is not supported; write the chosen one as "messages", or as "prompt" and "completion"`,
    );
  }
  const labelled = ["label", "labels"].find((field) => isLabel(first[field]));
  // A built-in task has more fields than a text.
  const own = others.length > 0 ? found.filter(({ form }) => form !== "text") : found;
  const choices = [
    ...own.map(({ form, fields }) => ({
      task: form === "text" ? "language-modelling" : form,
      why: `fields ${fields.map((field) => JSON.stringify(field)).join(", ")}`,
    })),
    ...others.map((task) => ({ task, why: "a built-in task" })),
  ];
  const open = labelled !== undefined && others.length === 0 && found.length > 0;
  if (choices.length > 1 || open) {
    const listed = choices.map(({ task, why }) => `task ${task} (${why})`);
    if (open) listed.push(`a task.template with the labels of ${JSON.stringify(labelled)}`);
    throw new RangeError(
      `Cannot tell what to learn from ${name}, whose rows have ${fieldNames(first)}: it may be ${
        listed.join(", or ")
      }. Say which`,
    );
  }
  return own[0];
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isLabel(value: unknown): boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}

/** Whether it is a list of objects. Whether these are valid messages is checked when they are read. */
function isMessages(value: unknown): boolean {
  return Array.isArray(value) &&
    value.every((item) => typeof item === "object" && item !== null && !Array.isArray(item));
}
