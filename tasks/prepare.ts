/**
 * Rows of data files as rows for templates, for the tasks whose prompts need more than a field's text.
 *
 * @module
 */
import { asRow, fieldItems, fieldText, type Row } from "./data/row.ts";

/** TREC: the coarse half of `COARSE:fine`. */
export function trecRows(row: Row): Row[] {
  const label = fieldText(row, "label", "read an example of trec");
  return [{ ...row, label: label.split(":")[0] }];
}

/** COPA: the premise without its full stop, "so" or "because", and choices that go on in the sentence. */
export function copaRows(row: Row): Row[] {
  const what = "read an example of copa";
  const question = fieldText(row, "question", what);
  if (question !== "cause" && question !== "effect") {
    throw new RangeError(
      `Cannot ${what}: unknown question ${JSON.stringify(question)}, known are cause, effect`,
    );
  }
  return [{
    ...row,
    premise: fieldText(row, "premise", what).trim().replace(/\.$/, ""),
    connective: question === "cause" ? "because" : "so",
    choice1: inSentence(fieldText(row, "choice1", what)),
    choice2: inSentence(fieldText(row, "choice2", what)),
  }];
}

/** The first word in lower case, unless it is "I". */
function inSentence(text: string): string {
  const [first, ...rest] = text.trim().split(" ");
  return [first === "I" ? first : first.toLowerCase(), ...rest].join(" ");
}

/** MultiRC: a row for every answer of every question about a passage. */
export function multircRows(row: Row): Row[] {
  const what = "read an example of multirc";
  const passage = asRow(row.passage, what);
  const paragraph = fieldText(passage, "text", what);
  return fieldItems(passage, "questions", what).flatMap((item) => {
    const question = asRow(item, what);
    return fieldItems(question, "answers", what).map((value) => {
      const answer = asRow(value, what);
      return {
        paragraph,
        question: fieldText(question, "question", what),
        answer: fieldText(answer, "text", what),
        label: fieldText(answer, "label", what),
      };
    });
  });
}

/**
 * WinoGrande: what is before the blank, and each option with the rest of the sentence. Read from the original form
 * (`sentence` with `_`, `option1`, `option2`, `answer` 1 or 2) and from that of evaluation harnesses (`context_options`,
 * `continuation`, `gold` 0 or 1).
 */
export function winograndeRows(row: Row): Row[] {
  const what = "read an example of winogrande";
  if (Object.hasOwn(row, "context_options")) {
    const contexts = fieldItems(row, "context_options", what);
    if (contexts.length !== 2 || !contexts.every((context) => typeof context === "string")) {
      throw new TypeError(`Cannot ${what}: context_options is not a pair of texts`);
    }
    const [words1, words2] = contexts.map((context: string) => context.trim().split(/\s+/));
    let same = 0;
    while (same < Math.min(words1.length, words2.length) - 1 && words1[same] === words2[same]) {
      same++;
    }
    const continuation = fieldText(row, "continuation", what).trim();
    const lead = same === 0 ? "" : " ";
    const ending = (words: string[]): string =>
      `${lead}${words.slice(same).join(" ")} ${continuation}`;
    return [{
      before: words1.slice(0, same).join(" "),
      ending1: ending(words1),
      ending2: ending(words2),
      label: fieldText(row, "gold", what),
    }];
  }
  const sentence = fieldText(row, "sentence", what);
  const blank = sentence.indexOf("_");
  if (blank < 0) {
    throw new RangeError(`Cannot ${what}: no "_" in ${JSON.stringify(sentence.slice(0, 80))}`);
  }
  const before = sentence.slice(0, blank).trimEnd();
  const lead = sentence.slice(before.length, blank);
  const rest = sentence.slice(blank + 1);
  return [{
    before,
    ending1: lead + fieldText(row, "option1", what) + rest,
    ending2: lead + fieldText(row, "option2", what) + rest,
    label: String(Number(fieldText(row, "answer", what)) - 1),
  }];
}
