/**
 * `qzo evaluate`: loss and accuracy of a model, or of a fine-tune of it.
 *
 * @module
 */
import { bitsPerCharacter, majorityShare, perplexity } from "../../tasks/mod.ts";
import {
  evaluate,
  type Evaluation,
  type ExampleSet,
  recogniseTask,
  type TaskExamples,
} from "../../train/mod.ts";
import { otherDataNote } from "../../train/runs/run_data.ts";
import { describeTask, predicted } from "../../train/runs/task_examples.ts";
import type { Call, Command } from "../command.ts";
import { accuracyText, lossText } from "../report.ts";
import { facts, grouped, notes, percent } from "../../show/terminal.ts";
import {
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
  first: ["model", "task", "data", "split", "ledger", "json"],
  examples: [
    "evaluate --model model.gguf --task sst2 --data data/sst2",
    "evaluate runs/a --split test",
    "evaluate config.yaml --ledger runs/a/run.ledger --step last",
  ],
  options: {
    ...tunedOptions,
    split: { kind: "text", doc: "validation, test or train [validation]", values: SPLITS },
    base: { kind: "flag", doc: "use the base model even if a run is named" },
    json: { kind: "flag", doc: "print JSON" },
  },
  keys: ["model", "task", "data", "batch_size", "max_length", "seed", "device", "quantize"],
  run: async (call) => {
    const { options, terminal, signal } = call;
    const { config } = await recogniseTask(call.config(), { signal });
    const split = SPLITS.find((it) => it === options.text("split")) ?? "validation";
    const chosen = options.flag("base") ? undefined : await chosenLedger(call);
    using session = await loadSession(config, call);
    const all = await examplesFor(session, config, call, [split]);
    const set = setOf(all, split);
    if (chosen && (split === "validation" || split === "test")) {
      const other = otherDataNote(chosen.ledger.header.data, set.examples, { split, config });
      notes(terminal, other === undefined ? [] : [other]);
    }
    using offsets = chosen && await tunedOffsets(session, chosen, call);
    const progress = evaluationStatus(terminal, describeTask(config));
    const result = await evaluate(session.model, set.examples, {
      objective: all.objective,
      batchSize: config.batchSize,
      offsets,
      signal,
      onProgress: progress.onProgress,
    });
    progress.clear();
    print(call, set, result, {
      task: describeTask(config),
      split,
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

function print(
  { options, terminal }: Call,
  { examples, characters }: ExampleSet,
  { loss, accuracy }: Evaluation,
  about: { readonly task: string; readonly split: string; readonly model: string },
): void {
  const majority = accuracy && majorityShare(examples.map((it) => it.label));
  const tokens = characters === undefined ? undefined : predicted(examples);
  const perCharacter = tokens !== undefined && characters
    ? bitsPerCharacter(loss * tokens, characters)
    : undefined;
  const ofText = characters === undefined ? undefined : perplexity(loss);
  if (options.flag("json")) {
    terminal.out(JSON.stringify({
      ...about,
      examples: examples.length,
      loss,
      accuracy,
      majority,
      perplexity: ofText,
      bitsPerCharacter: perCharacter,
    }));
    return;
  }
  facts(terminal, [
    ["model", about.model],
    ["task", `${about.task}, ${grouped(examples.length)} ${about.split} examples`],
    ["loss", `${lossText(loss)} nats per ${tokens === undefined ? "example" : "token"}`],
    accuracy && ["accuracy", accuracyText(accuracy)],
    majority === undefined ? undefined : ["majority", percent(majority)],
    ofText === undefined ? undefined : ["perplexity", `${ofText.toFixed(3)} per token`],
    perCharacter === undefined ? undefined : ["bits", `${perCharacter.toFixed(4)} per character`],
  ]);
}
