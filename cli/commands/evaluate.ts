/**
 * `qzo evaluate`: loss and accuracy of a model, or of a fine-tune of it.
 *
 * @module
 */
import { bitsPerCharacter, majorityShare, type MetricName, perplexity } from "../../tasks/mod.ts";
import {
  evaluate,
  evaluateTask,
  type Evaluation,
  type ExampleSet,
  recogniseTask,
  type TaskEvaluation,
  type TaskExamples,
} from "../../train/mod.ts";
import { otherDataNote } from "../../train/runs/run_data.ts";
import { describeTask, predicted } from "../../train/runs/task_examples.ts";
import type { Call, Command } from "../command.ts";
import { isFolder } from "../configuration_file.ts";
import { accuracyText, lossText } from "../report.ts";
import { facts, grouped, notes, percent } from "../../show/terminal.ts";
import {
  besideOf,
  chosenLedger,
  evaluationStatus,
  examplesFor,
  loadSession,
  tunedOffsets,
  tunedOptions,
} from "../tuned.ts";
import { UsageError } from "../usage_error.ts";

const SPLITS = ["validation", "test", "train"] as const;
type SplitName = (typeof SPLITS)[number];

/** `qzo evaluate`. */
export const evaluateCommand: Command = {
  name: "evaluate",
  summary: "measure the held-out loss and accuracy of a model or a fine-tune",
  positional: "model",
  takesData: true,
  first: ["model", "task", "data", "split", "shots", "ledger"],
  examples: [
    "evaluate --model model.gguf --task sst2 --data data/sst2",
    "evaluate model.gguf reviews.jsonl",
    "evaluate runs/a --split test",
    "evaluate model.gguf --task rte --data data/rte --shots 16",
    "evaluate config.yaml --ledger runs/a/run.ledger --step last",
    "evaluate config.yaml --adapter one --adapter other=0.5",
  ],
  options: {
    ...tunedOptions,
    split: {
      kind: "text",
      doc:
        "validation, test or train [validation; all rows if the data file is given after the model]",
      values: SPLITS,
    },
    base: { kind: "flag", doc: "use the base model even if a run is named" },
    shots: {
      kind: "number",
      min: 0,
      whole: true,
      doc:
        "training examples to show before each example, chosen by the seed; the limit is then the model's context, not max_length [0]",
    },
    "same-shots": {
      kind: "flag",
      doc: "show the same training examples before every example [different ones each time]",
    },
    "max-tokens": {
      kind: "number",
      min: 1,
      whole: true,
      doc: "maximum number of tokens per written answer [50]",
    },
    "loss-only": {
      kind: "flag",
      doc: "measure only the loss of the answers, without generating any",
    },
    json: { kind: "flag", doc: "print JSON" },
  },
  keys: ["model", "task", "data", "batch_size", "max_length", "seed", "device", "quantize"],
  run: async (call) => {
    const { options, terminal, signal } = call;
    const { config: read } = await recogniseTask(call.config(), { signal });
    const asked = SPLITS.find((it) => it === options.text("split"));
    // The configuration takes a data file given without a flag as training data and holds out a part of it. Without --split, evaluate all of it.
    const whole = asked === undefined && call.dataPath !== undefined && !isFolder(call.dataPath);
    const config = whole ? { ...read, data: { ...read.data, validation: read.data.train! } } : read;
    const split = asked ?? "validation";
    const chosen = options.flag("base") ? undefined : await chosenLedger(call);
    using session = await loadSession(config, call, { beside: besideOf(chosen, call) });
    const count = options.number("shots") ?? 0;
    const shots = { count, seed: config.seed, same: options.flag("same-shots") };
    if (shots.same && count === 0) throw new UsageError("Cannot use --same-shots without --shots");
    const all = await examplesFor(session, config, call, [split], { judging: true, shots });
    const set = setOf(all, split);
    if (chosen && (split === "validation" || split === "test")) {
      const other = otherDataNote(chosen.ledger.header.data, set.examples, { split, config });
      notes(terminal, other === undefined ? [] : [other]);
    }
    using offsets = chosen && await tunedOffsets(session, chosen, call);
    const progress = evaluationStatus(terminal, describeTask(config));
    const { task, objective } = all;
    const settings = {
      objective,
      batchSize: config.batchSize,
      offsets,
      signal,
      onProgress: progress.onProgress,
    };
    const maxTokens = options.number("max-tokens");
    const result: TaskEvaluation | Evaluation = task && !options.flag("loss-only")
      ? await evaluateTask(session.model, set, {
        ...settings,
        task,
        onWritten: evaluationStatus(terminal, "written answers").onProgress,
        ...(maxTokens === undefined ? {} : { maxTokens }),
      })
      : await evaluate(session.model, set.examples, settings);
    progress.clear();
    print(call, set, result, {
      task: describeTask(config) + (count > 0 ? ` with ${count} demonstrations` : ""),
      split,
      ...(whole ? { file: call.dataPath } : {}),
      model: chosen
        ? `${config.model} after ${chosen.steps} steps of ${chosen.path}${
          chosen.why === undefined ? "" : ` (${chosen.why})`
        }`
        : config.model,
    });
  },
};

function setOf(all: TaskExamples, split: SplitName): ExampleSet {
  if (split !== "test") return all[split];
  if (all.test) return all.test;
  throw new UsageError("Cannot evaluate the test split: data.test names no file");
}

/** Printed names of the metrics. */
const METRIC_WORDS: Readonly<Record<MetricName, string>> = {
  accuracy: "accuracy",
  macroF1: "macro F1",
  f1a: "F1a",
  questionMatch: "questions",
  f1: "F1",
  exactMatch: "exact",
  dropF1: "DROP F1",
  dropExactMatch: "DROP exact",
};

function print(
  { options, terminal }: Call,
  { examples, characters }: ExampleSet,
  { loss, accuracy, ...more }: Evaluation | TaskEvaluation,
  about: {
    readonly task: string;
    readonly split: string;
    readonly file?: string | undefined;
    readonly model: string;
  },
): void {
  const majority = accuracy && majorityShare(examples.map((it) => it.label));
  const tokens = characters === undefined ? undefined : predicted(examples);
  const perCharacter = tokens !== undefined && characters
    ? bitsPerCharacter(loss * tokens, characters)
    : undefined;
  const ofText = characters === undefined ? undefined : perplexity(loss);
  const metrics = "metrics" in more ? more.metrics : undefined;
  const others = Object.entries(metrics ?? {}).filter(([name]) => name !== "accuracy");
  const isMasked = examples.some(({ masked }) => masked);
  const unit = accuracy ? "example" : isMasked ? "masked token" : "token";
  if (options.flag("json")) {
    terminal.out(JSON.stringify({
      ...about,
      examples: examples.length,
      loss,
      accuracy,
      majority,
      metrics,
      perplexity: ofText,
      bitsPerCharacter: perCharacter,
    }));
    return;
  }
  facts(terminal, [
    ["model", about.model],
    [
      "task",
      about.file === undefined
        ? `${about.task}, ${grouped(examples.length)} ${about.split} examples`
        : `${about.task}, ${grouped(examples.length)} examples of ${about.file}`,
    ],
    ["loss", `${lossText(loss)} nats per ${unit}`],
    accuracy && ["accuracy", accuracyText(accuracy)],
    majority === undefined ? undefined : ["majority", percent(majority)],
    ...others.map((
      [name, value],
    ): [string, string] => [METRIC_WORDS[name as MetricName], percent(value)]),
    ofText === undefined ? undefined : ["perplexity", `${ofText.toFixed(3)} per token`],
    perCharacter === undefined ? undefined : ["bits", `${perCharacter.toFixed(4)} per character`],
  ]);
}
