/**
 * Natural language inference, whether one sentence follows from another: RTE, CB, MNLI, SNLI.
 *
 * @module
 */
import { fieldText, fieldValue, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";
import type { TaskTemplate } from "../template.ts";
import { superGlueFiles } from "./files.ts";

/** The two sentences, whatever their names in the collection, and the label. A pair without an agreed label (`-`) gives no row. */
function pairRows(row: Row): Row[] {
  const what = "read a pair of sentences";
  const first = (...names: string[]): string =>
    fieldText(row, names.find((name) => fieldValue(row, name) !== undefined) ?? names[0], what);
  const label = first("label", "gold_label");
  if (label === "-") return [];
  const [premise, hypothesis] = [
    first("premise", "sentence1", "text_a"),
    first("hypothesis", "sentence2", "text_b"),
  ];
  // MeZO's prompt for RoBERTa removes the last character, whatever it is, and continues the sentence.
  const [opened, continued] = [
    premise.slice(0, -1),
    hypothesis.slice(0, 1).toLowerCase() + hypothesis.slice(1),
  ];
  return [{ ...row, premise, hypothesis, opened, continued, label }];
}

/** The same for prompts that continue after the second sentence, which then ends with a full stop. */
function stoppedPairRows(row: Row): Row[] {
  return pairRows(row).map((pair) => {
    const hypothesis = String(pair.hypothesis).trim();
    return { ...pair, hypothesis: hypothesis.endsWith(".") ? hypothesis : `${hypothesis}.` };
  });
}

const rte = { files: superGlueFiles, format: "jsonl", prepare: pairRows } as const;
const cb = {
  ...rte,
  metrics: ["accuracy", "macroF1"],
  published: { held: 100 },
} as const;
const mnli = {
  files: { train: "train.tsv", dev: "dev_matched.tsv" },
  format: "tsv",
  prepare: pairRows,
} as const;
const snli = {
  files: {
    train: "snli_1.0_train.jsonl",
    dev: "snli_1.0_dev.jsonl",
    test: "snli_1.0_test.jsonl",
  },
  format: "jsonl",
  prepare: pairRows,
} as const;

// Three classes by name, because their numbers differ between data sets (1 is contradiction in CB, but neutral in MNLI and SNLI). The prompt is that
// of RTE with a third word; none has been published for MNLI and SNLI with left-to-right models.
const ofThree = {
  prompt: '{premise}\nDoes this mean that "{hypothesis}" is true? Yes, No, or Maybe?\n',
  labels: { entailment: "Yes", neutral: "Maybe", contradiction: "No" },
} as const;

/** MeZO's prompt for RoBERTa. */
function maskedPair(name: string, labels: Readonly<Record<string, string>>): TaskTemplate {
  return { name, prompt: "{opened}?{mask}, {continued}", labels };
}

const maskedOfThree = { entailment: " Yes", neutral: " Maybe", contradiction: " No" } as const;

/** RTE, CB, MNLI and SNLI. */
export const inferenceTasks: readonly Task[] = [
  {
    ...rte,
    name: "rte",
    template: {
      name: "rte",
      prompt: '{premise}\nDoes this mean that "{hypothesis}" is true? Yes or No?\n',
      labels: { entailment: "Yes", not_entailment: "No" },
    },
    masked: maskedPair("rte", { entailment: " Yes", not_entailment: " No" }),
  },
  {
    ...rte,
    name: "rte/harness",
    template: {
      name: "rte",
      prompt: "{premise}\nQuestion: {hypothesis} True or False?\nAnswer:",
      labels: { entailment: " True", not_entailment: " False" },
    },
  },
  {
    ...rte,
    name: "rte/bare",
    template: {
      name: "rte",
      prompt: '{premise}\n"{hypothesis}"\n',
      labels: { entailment: "Yes", not_entailment: "No" },
    },
  },
  {
    ...cb,
    name: "cb",
    template: {
      name: "cb",
      prompt: 'Suppose {premise} Can we infer that "{hypothesis}"? Yes, No, or Maybe?\n',
      labels: { entailment: "Yes", contradiction: "No", neutral: "Maybe" },
    },
  },
  {
    ...cb,
    name: "cb/harness",
    template: {
      name: "cb",
      prompt: "{premise}\nQuestion: {hypothesis}. True, False, or Neither?\nAnswer:",
      labels: { entailment: " True", contradiction: " False", neutral: " Neither" },
    },
  },
  {
    ...mnli,
    name: "mnli",
    template: { name: "mnli", ...ofThree },
    masked: maskedPair("mnli", maskedOfThree),
  },
  {
    ...mnli,
    name: "mnli/harness",
    prepare: stoppedPairRows,
    template: {
      name: "mnli",
      prompt: "{premise}\nQuestion: {hypothesis} True, False or Neither?\nAnswer:",
      labels: { entailment: " True", neutral: " Neither", contradiction: " False" },
    },
  },
  {
    ...snli,
    name: "snli",
    template: { name: "snli", ...ofThree },
    masked: maskedPair("snli", maskedOfThree),
  },
];
