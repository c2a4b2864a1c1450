/**
 * COPA: which of two sentences is the cause, or the effect, of a third? (Roemmele et al. 2011)
 *
 * @module
 */
import { fieldText, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";
import { superGlueFiles } from "./files.ts";

const what = "read an example of copa";

function connectiveOf(row: Row, words: { readonly cause: string; readonly effect: string }) {
  const question = fieldText(row, "question", what);
  if (question === "cause" || question === "effect") return words[question];
  throw new RangeError(
    `Cannot ${what}: unknown question ${JSON.stringify(question)}; expected one of cause, effect`,
  );
}

/** The premise without its full stop, "so" or "because", and choices that continue the sentence. */
function copaRows(row: Row): Row[] {
  const connective = connectiveOf(row, { cause: "because", effect: "so" });
  return [{
    ...row,
    connective,
    premise: fieldText(row, "premise", what).trim().replace(/\.$/, ""),
    choice1: inSentence(fieldText(row, "choice1", what)),
    choice2: inSentence(fieldText(row, "choice2", what)),
  }];
}

/** The text with its first word in lower case, unless it is "I". */
function inSentence(text: string): string {
  const [first, ...rest] = text.trim().split(" ");
  return [first === "I" ? first : first.toLowerCase(), ...rest].join(" ");
}

/** The premise without its last character, and choices with their first letter in lower case, even for "I". */
function harnessRows(row: Row): Row[] {
  const small = (field: string): string => {
    const [first = "", ...rest] = fieldText(row, field, what);
    return first.toLowerCase() + rest.join("");
  };
  return [{
    ...row,
    premise: [...fieldText(row, "premise", what).trim()].slice(0, -1).join(""),
    connective: connectiveOf(row, { cause: "because", effect: "therefore" }),
    choice1: small("choice1"),
    choice2: small("choice2"),
  }];
}

const copa = {
  files: superGlueFiles,
  format: "jsonl",
  published: { objective: "language-modelling", held: 100 },
} as const;
const candidates = [" {choice1}", " {choice2}"];

/** COPA, with MeZO's prompt, the evaluation harness's, and ZO-LLM's without a connective. */
export const copaTasks: readonly Task[] = [
  {
    ...copa,
    name: "copa",
    prepare: copaRows,
    template: { name: "copa", prompt: "{premise} {connective}", candidates },
  },
  {
    ...copa,
    name: "copa/harness",
    prepare: harnessRows,
    score: "sum",
    // The harness's choices begin with a space, and it adds another one before them.
    template: {
      name: "copa",
      prompt: "{premise} {connective}",
      candidates: candidates.map((it) => ` ${it}`),
    },
  },
  {
    ...copa,
    name: "copa/bare",
    prepare: copaRows,
    template: { name: "copa", prompt: "{premise}", candidates },
  },
];
