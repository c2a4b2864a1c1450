/**
 * Prompt templates, which convert a row of a data set to a prompt and its candidates.
 *
 * @module
 */
import { assertDistinct } from "./distinct_texts.ts";
import { fieldText, fieldValue, type Row } from "./data/row.ts";
import type { Reference } from "./reference.ts";

/**
 * How a row becomes a prompt and its candidates. `{field}` is replaced by the field's text, `{input.text}` by that of a nested field, and `{{`
 * and `}}` by braces. `{mask}` marks the token that a masked model (BERT, RoBERTa) predicts: candidates are read there, and text can follow.
 *
 * Exactly one of these is given: `labels` (words for each value of the label field), `candidates` (the row contains the choices, and the label
 * field the index of the correct one) or `answer` (the text to generate). A label that is true or false, as a boolean or as text, matches the
 * entry of `labels` with that name, or else the entry 1 or 0.
 */
export interface TaskTemplate {
  /** Name of the task in errors. */
  readonly name: string;
  /** The text before a candidate; with `{mask}`, also the text after it. */
  readonly prompt: string;
  /** Name of the field with the correct answer. Default "label". */
  readonly labelField?: string;
  /** The text for each value of the label field, such as `{ "0": " terrible", "1": " great" }`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Texts with `{fields}`, one per candidate. If a field contains a list, there is one candidate for each item. */
  readonly candidates?: readonly string[];
  /**
   * With `candidates`: a text with `{fields}` that follows each candidate, and that alone is scored ("partial evaluation"). Default: the
   * candidates themselves are scored.
   */
  readonly continuation?: string;
  /** A text with `{fields}` to generate. If a field contains a list, the first item is trained on, and every item counts as correct. */
  readonly answer?: string;
}

/** A row as text; `candidates[label]` is the correct one. */
export interface RenderedExample {
  /** The text before a candidate. */
  readonly prompt: string;
  /** The text after it, if the template has a mask. Otherwise absent. */
  readonly after?: string;
  /** The texts to choose from. A single one is an answer to generate. */
  readonly candidates: readonly string[];
  /** The beginning of each candidate that is not scored. Absent if whole candidates are scored. */
  readonly leads?: readonly string[];
  /** Index of the correct candidate. */
  readonly label: number;
  /** Indices of all correct candidates, if there are others besides `label`. */
  readonly right?: readonly number[];
  /** What metrics compare with, if the label is not sufficient. */
  readonly reference?: Reference;
}

/**
 * Renders a row with a template.
 *
 * @throws {RangeError} for an unknown field or label (listing the known ones), an empty candidate, or two with the same words.
 * @throws {SyntaxError} for an unmatched brace.
 * @throws {TypeError} for a field without text, or a template without candidates.
 *
 * @example SST-2
 * ```ts
 * import { renderExample } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const template = {
 *   name: "sst2",
 *   prompt: "{sentence} It was",
 *   labels: { "0": " terrible", "1": " great" },
 * };
 * assertEquals(renderExample(template, { sentence: "a stirring film", label: "1" }), {
 *   prompt: "a stirring film It was",
 *   candidates: [" terrible", " great"],
 *   label: 1,
 * });
 * ```
 */
export function renderExample(template: TaskTemplate, row: Row): RenderedExample {
  const what = `render an example of ${template.name}`;
  const around = splitAtMask(template.prompt, row, what);
  const ways = [template.labels, template.candidates, template.answer];
  if (ways.filter((way) => way !== undefined).length !== 1) {
    throw new TypeError(
      `Cannot ${what}: a template has either labels or candidates, or an answer`,
    );
  }
  if (template.answer !== undefined) return renderAnswer(around, template.answer, row, what);
  const answer = fieldText(row, template.labelField ?? "label", what);
  let candidates: string[];
  let label: number;
  if (template.labels !== undefined) {
    const values = Object.keys(template.labels);
    candidates = Object.values(template.labels);
    label = labelOf(answer, values);
    if (label < 0) {
      const known = values.map((value) => JSON.stringify(value)).join(", ");
      throw new RangeError(
        `Cannot ${what}: unknown label ${JSON.stringify(answer)}; expected one of ${known}`,
      );
    }
  } else {
    candidates = (template.candidates ?? []).flatMap((candidate) => fillEach(candidate, row, what));
    label = /^\d{1,6}$/.test(answer) ? Number(answer) : -1;
    if (label < 0 || label >= candidates.length) {
      throw new RangeError(
        `Cannot ${what}: label ${
          JSON.stringify(answer)
        } is not an index of ${candidates.length} candidates`,
      );
    }
  }
  if (candidates.length < 2 || candidates.includes("")) {
    throw new RangeError(
      `Cannot ${what}: ${candidates.length} candidates, expected two or more, none empty`,
    );
  }
  assertDistinctOf(template, candidates, what);
  const continuation = continuationOf(template, row, what);
  if (continuation === undefined) return { ...around, candidates, label };
  const whole = candidates.map((candidate) => candidate + continuation);
  return { ...around, candidates: whole, leads: candidates, label };
}

/** The text after each candidate that alone is scored. Undefined if the candidates are scored. */
function continuationOf(
  { continuation, candidates }: TaskTemplate,
  row: Row,
  what: string,
): string | undefined {
  if (continuation === undefined) return undefined;
  if (candidates === undefined) {
    throw new TypeError(`Cannot ${what}: only candidates have a continuation`);
  }
  const text = fill(continuation, row, what);
  if (text.trim() !== "") return text;
  throw new RangeError(`Cannot ${what}: there is nothing after its candidates to score`);
}

/** An example whose answer is generated: the first answer is trained on, and all count as correct. */
function renderAnswer(
  around: Pick<RenderedExample, "prompt" | "after">,
  answer: string,
  row: Row,
  what: string,
): RenderedExample {
  const [learned, ...others] = fillEach(answer, row, what);
  if (learned === undefined || learned.trim() === "") {
    throw new RangeError(`Cannot ${what}: the answer is only white space`);
  }
  const answers = [learned, ...others].map((text) => text.trim());
  return { ...around, candidates: [learned], label: 0, reference: { answers } };
}

/**
 * The index of an answer among the labels, or -1. An answer that is true or false, in any capitalisation, matches the label of that name, or
 * else the label 1 or 0.
 */
function labelOf(answer: string, labels: readonly string[]): number {
  const same = labels.indexOf(answer);
  if (same >= 0 || !/^(?:true|false)$/i.test(answer)) return same;
  const truth = answer.toLowerCase();
  const spelled = labels.filter((label) => label.toLowerCase() === truth);
  if (spelled.length === 1) return labels.indexOf(spelled[0]);
  return spelled.length === 0 ? labels.indexOf(truth === "true" ? "1" : "0") : -1;
}

/** Labels that have been checked; they are the same for every row. */
const distinct = new WeakSet<object>();

function assertDistinctOf({ labels }: TaskTemplate, texts: readonly string[], what: string): void {
  if (labels === undefined) {
    assertDistinct(texts.map((text, i) => [String(i), text]), "candidates", what);
  } else if (!distinct.has(labels)) {
    assertDistinct(Object.entries(labels), "labels", what);
    distinct.add(labels);
  }
}

/**
 * The names of the fields in a text with `{fields}`. The mask is not a field.
 *
 * @throws {SyntaxError} for an unmatched brace.
 */
export function templateFields(text: string): string[] {
  return [...readTemplate(text, "read a template").fields];
}

/** The first field of a prompt that contains only white space. Undefined if there is none. */
export function blankField(prompt: string, row: Row): string | undefined {
  return readTemplate(prompt, "read a template").fields.find((field) => {
    const value = fieldValue(row, field);
    return typeof value === "string" && value.trim() === "";
  });
}

/** The name of the mask in a template. */
const MASK = "mask";

/** The text before the mask and the text after it. Without a mask, all of the text is before it. */
function splitAtMask(
  text: string,
  row: Row,
  what: string,
): Pick<RenderedExample, "prompt" | "after"> {
  const all = readTemplate(text, what).parts;
  const [at = -1, ...more] = all.flatMap(({ field }, i) => field === MASK ? [i] : []);
  if (more.length > 0) {
    throw new RangeError(
      `Cannot ${what}: its template has ${more.length + 1} masks, but a candidate stands for one`,
    );
  }
  if (at < 0) return { prompt: fill(text, row, what) };
  const [prompt, after] = [all.slice(0, at), all.slice(at + 1)].map((some) =>
    joined(some, row, what)
  );
  return { prompt, after };
}

function fill(text: string, row: Row, what: string): string {
  return joined(readTemplate(text, what).parts, row, what);
}

function joined(parts: readonly Part[], row: Row, what: string): string {
  let filled = "";
  for (const { field, literal } of parts) {
    filled += field === undefined ? literal : fieldText(row, field, what);
  }
  return filled;
}

/** One text for each item of the list in one of the fields; a single text if no field contains a list. */
function fillEach(text: string, row: Row, what: string): string[] {
  const lists = new Set(
    readTemplate(text, what).fields.filter((field) => Array.isArray(fieldValue(row, field))),
  );
  const [list] = lists;
  if (list === undefined) return [fill(text, row, what)];
  if (lists.size > 1) {
    throw new TypeError(
      `Cannot ${what}: ${[...lists].map((field) => JSON.stringify(field)).join(" and ")} of ${
        JSON.stringify(text.slice(0, 80))
      } are both lists, but only one field of a text may be`,
    );
  }
  const items = fieldValue(row, list) as unknown[];
  return items.map((item) => fill(text, { ...row, [list]: item }, what));
}

interface Part {
  readonly field?: string;
  readonly literal: string;
}

interface ReadTemplate {
  readonly parts: readonly Part[];
  readonly fields: readonly string[];
}

/** Parsed templates. They are few, and rows are many. */
const read = new Map<string, ReadTemplate>();
const mostRead = 256;

function readTemplate(text: string, what: string): ReadTemplate {
  const known = read.get(text);
  if (known !== undefined) return known;
  const parts = partsOf(text, what);
  const fields = parts.flatMap(({ field }) => field === undefined || field === MASK ? [] : [field]);
  if (read.size >= mostRead) read.clear();
  const made = { parts, fields };
  read.set(text, made);
  return made;
}

function partsOf(text: string, what: string): Part[] {
  return (text.match(/\{\{|\}\}|\{[^{}]*\}|[^{}]+|[{}]/g) ?? []).map((part): Part => {
    if (part === "{{" || part === "}}") return { literal: part[0] };
    if (part === "{" || part === "}") {
      throw new SyntaxError(
        `Cannot ${what}: an unmatched brace in ${JSON.stringify(text.slice(0, 80))}`,
      );
    }
    return part.startsWith("{")
      ? { field: part.slice(1, -1).trim(), literal: "" }
      : { literal: part };
  });
}
