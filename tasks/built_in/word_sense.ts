/**
 * WiC and WSC: the meaning of a word in two sentences, and what a pronoun refers to.
 *
 * @module
 */
import { asRow, fieldText, fieldValue, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";
import { superGlueFiles } from "./files.ts";

/** Adds the word as spelled in the first sentence. Its offsets count characters. */
function wicRows(row: Row): Row[] {
  const what = "read an example of wic";
  const [start, end] = ["start1", "end1"].map((field) => indexOf(row, field, what));
  const form = [...fieldText(row, "sentence1", what)].slice(start, end).join("");
  return [{ ...row, form }];
}

function indexOf(row: Row, field: string, what: string): number {
  const index = Number(fieldText(row, field, what));
  if (Number.isInteger(index) && index >= 0) return index;
  throw new RangeError(`Cannot ${what}: ${field} ${index} is not a position in the text`);
}

/** A noun and a pronoun of a sentence. Indices count words. */
interface Spans {
  readonly text: string;
  readonly noun: string;
  readonly pronoun: string;
  /** Index of the pronoun. */
  readonly at: number;
}

const ofWsc = "read an example of wsc";

/** Reads the spans: SuperGLUE's rows have them in `target`, other collections next to the text. */
function spansOf(row: Row): Spans {
  const target = fieldValue(row, "target") === undefined ? row : asRow(row.target, ofWsc);
  const text = fieldText(row, "text", ofWsc);
  const span = (name: string) =>
    spelledAsIn(
      text,
      fieldText(target, `${name}_text`, ofWsc),
      indexOf(target, `${name}_index`, ofWsc),
    );
  return {
    text,
    noun: span("span1"),
    pronoun: span("span2"),
    at: indexOf(target, "span2_index", ofWsc),
  };
}

/** Corrects a span that does not occur in the text: takes the case of the word in the text, and removes full stops and line feeds (`wsc.fixed`). */
function spelledAsIn(text: string, span: string, index: number): string {
  if (text.includes(span) || span === "") return span;
  const first = text.split(/\s+/)[index]?.[0] ?? span[0];
  const small = first !== first.toUpperCase();
  const head = small ? span[0].toLowerCase() : span[0].toUpperCase();
  return (head + span.slice(1)).replace(/\.+$/, "").replaceAll("\n", " ");
}

function wscRows(row: Row): Row[] {
  const { text, noun, pronoun } = spansOf(row);
  return [{ ...row, text, noun, pronoun: pronoun.toLowerCase() }];
}

/** The text with the pronoun between asterisks, and without spaces around separated punctuation. */
function markedWscRows(row: Row): Row[] {
  const { text, noun, pronoun, at } = spansOf(row);
  const before = text.split(/\s+/).filter((word) => word !== "").slice(0, at).join(" ");
  const behind = text.slice(before.length + pronoun.length + 1);
  const passage = `${before} *${pronoun}*${behind}`
    .replaceAll(" n't", "n't").replaceAll(" )", ")").replaceAll("( ", "(")
    .replaceAll('" ', '"').replaceAll(' "', '"').replaceAll(/ (['.,])/g, "$1");
  return [{ ...row, passage, noun, pronoun }];
}

const wic = { files: superGlueFiles, format: "jsonl" } as const;
const wsc = { files: superGlueFiles, format: "jsonl" } as const;

/** WiC and WSC, with MeZO's prompts and the evaluation harness's. */
export const wordSenseTasks: readonly Task[] = [
  {
    ...wic,
    name: "wic",
    template: {
      name: "wic",
      prompt:
        'Does the word "{word}" have the same meaning in these two sentences? Yes, No?\n{sentence1}\n{sentence2}\n',
      labels: { false: "No", true: "Yes" },
    },
  },
  {
    ...wic,
    name: "wic/harness",
    prepare: wicRows,
    template: {
      name: "wic",
      prompt:
        "Sentence 1: {sentence1}\nSentence 2: {sentence2}\nQuestion: Is the word '{form}' used in the same way in the two sentences above?\nAnswer:",
      labels: { false: " no", true: " yes" },
    },
  },
  {
    ...wsc,
    name: "wsc",
    prepare: wscRows,
    template: {
      name: "wsc",
      prompt:
        '{text}\nIn the previous sentence, does the pronoun "{pronoun}" refer to {noun}? Yes or No?\n',
      labels: { false: "No", true: "Yes" },
    },
  },
  {
    ...wsc,
    name: "wsc/harness",
    prepare: markedWscRows,
    template: {
      name: "wsc",
      prompt:
        'Passage: {passage}\nQuestion: In the passage above, does the pronoun "*{pronoun}*" refer to "*{noun}*"?\nAnswer:',
      labels: { false: " no", true: " yes" },
    },
  },
];
