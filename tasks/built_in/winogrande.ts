/**
 * WinoGrande: which of two options fits the blank in a sentence? (Sakaguchi et al. 2020)
 *
 * @module
 */
import { fieldItems, fieldText, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";

/**
 * The text before the blank, and each option with the rest of the sentence. Reads the original form (`sentence` with `_`, `option1`, `option2`,
 * `answer` 1 or 2) and that of evaluation harnesses (`context_options`, `continuation`, `gold` 0 or 1).
 */
function winograndeRows(row: Row): Row[] {
  const what = "read an example of winogrande";
  if (Object.hasOwn(row, "context_options")) {
    const contexts = fieldItems(row, "context_options", what);
    if (contexts.length !== 2 || !contexts.every((context) => typeof context === "string")) {
      throw new TypeError(`Cannot ${what}: context_options is not a pair of strings`);
    }
    const [words1, words2] = contexts.map((context: string) => context.trim().split(/\s+/));
    let same = 0;
    while (same < Math.min(words1.length, words2.length) - 1 && words1[same] === words2[same]) {
      same++;
    }
    const continuation = fieldText(row, "continuation", what).trim();
    const lead = same === 0 ? "" : " ";
    const option = (words: string[]): string => `${lead}${words.slice(same).join(" ")}`;
    return [{
      before: words1.slice(0, same).join(" "),
      ending1: `${option(words1)} ${continuation}`,
      ending2: `${option(words2)} ${continuation}`,
      choice1: option(words1),
      choice2: option(words2),
      continuation: ` ${continuation}`,
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
    choice1: lead + fieldText(row, "option1", what),
    choice2: lead + fieldText(row, "option2", what),
    // The harness puts one space here, even before a full stop.
    continuation: ` ${rest.trim()}`,
    ending1: lead + fieldText(row, "option1", what) + rest,
    ending2: lead + fieldText(row, "option2", what) + rest,
    label: String(Number(fieldText(row, "answer", what)) - 1),
  }];
}

const common = {
  files: { train: "train_m.jsonl", dev: "dev.jsonl" },
  format: "jsonl",
  prepare: winograndeRows,
  published: { objective: "language-modelling" },
} as const;

/** WinoGrande: ZO-LLM scores each option with the rest of the sentence, and the harness only the rest after each option. */
export const winograndeTasks: readonly Task[] = [
  {
    ...common,
    name: "winogrande",
    template: { name: "winogrande", prompt: "{before}", candidates: ["{ending1}", "{ending2}"] },
  },
  {
    ...common,
    name: "winogrande/harness",
    score: "sum",
    template: {
      name: "winogrande/harness",
      prompt: "{before}",
      candidates: ["{choice1}", "{choice2}"],
      continuation: "{continuation}",
    },
  },
];
