/**
 * What a fine-tune would do: examples as the model sees them, what would be trained, and for how long. Only the time needs a device.
 *
 * @module
 */
import { noTokenizer } from "../models/checkpoints/disk/no_tokenizer.ts";
import { NoAdapterError, OutOfMemoryError } from "../kernels/mod.ts";
import { openModelSource, type Tokenizer } from "../models/mod.ts";
import { sightOf } from "../models/architectures.ts";
import type { Example } from "../models/batch.ts";
import { forwardsOf, type Optimiser } from "../optim/optimiser.ts";
import {
  configuredAdapter,
  configuredSource,
  finetune,
  optimiserOfConfig,
  selectionOfConfig,
  type StepEvent,
  type TaskExamples,
  taskOfConfig,
  type TrainConfig,
} from "../train/mod.ts";
import { stepsPerEpoch } from "../train/runs/epochs.ts";
import { describeTask } from "../train/runs/task_examples.ts";
import type { Call } from "./command.ts";
import { stepsFor } from "./decided.ts";
import { offsetsFor } from "../train/probes/offsets_for.ts";
import { formatBytes, formatSeconds } from "../show/progress.ts";
import { facts, grouped, notes, status } from "../show/terminal.ts";
import { checkpointsText, exactText, type TrainingPlan, trainingPlan } from "./training_plan.ts";
import { loadSession, readExamples } from "./tuned.ts";

const SHOWN = 3;

/** Number of tokens that are shown from the beginning and from the end of an example. */
const MOST_TOKENS = 24;

/**
 * Prints what a fine-tune would learn from and do.
 *
 * @throws whatever opening the model and reading the data throw.
 */
export async function dryRun(call: Call, asked: TrainConfig): Promise<void> {
  const { terminal, signal } = call;
  using stored = await openModelSource(asked.model);
  const source = await configuredSource(stored, asked, signal);
  notes(terminal, source.notes);
  const { tokenizer } = source;
  if (!tokenizer) throw noTokenizer(source.name);
  const { context } = source.config;
  const sees = sightOf(source.config);
  const examples = await readExamples(tokenizer, asked, call, { maxPositions: context, sees });
  const config = stepsFor(call, asked, examples);
  const limit = Math.min(config.maxLength, context);
  const labels = taskOfConfig(config)?.template.labels;
  const names = labels && Object.keys(labels);
  for (const [i, example] of examples.train.examples.slice(0, SHOWN).entries()) {
    terminal.out(`example ${i + 1} of ${grouped(examples.train.examples.length)}`);
    facts(terminal, exampleFacts(example, tokenizer, { limit, names }));
    terminal.out("");
  }
  facts(terminal, [
    ["task", `${describeTask(config)}, ${examples.objective}`],
    ...setFacts(examples, limit, names),
    ...planFacts(config, examples, trainingPlan(source, config)),
  ]);
  terminal.out("");
  facts(terminal, [["time", await timeOf(call, config, examples)]]);
  terminal.out("Nothing was saved: leave out --dry-run to start");
}

/** Number of steps that are run and discarded to time one. The first of them includes compilation. */
const MEASURED = 8;

/** Estimate of how long the steps would take on this device, as text. */
async function timeOf(
  call: Call,
  config: TrainConfig,
  { objective, train: { examples: train } }: TaskExamples,
): Promise<string> {
  const { terminal, signal } = call;
  const { batchSize, seed } = config;
  const optimiser = optimiserOfConfig(config);
  try {
    using session = await loadSession(config, call, {
      beside: (model, given) => configuredAdapter(config, model, given),
    });
    status(terminal, `Measuring ${MEASURED} steps`);
    const { gpu, model } = session;
    const selection = selectionOfConfig(config);
    using offsets = await offsetsFor(model, optimiser, {
      ...{ selection, train, objective, batchSize, seed, signal },
    });
    const steps = Math.min(MEASURED, config.steps);
    let pace: StepEvent | undefined;
    const options = { model, optimiser, offsets, objective, train, batchSize, seed, signal, steps };
    for await (const event of finetune(options)) if (event.type === "step") pace = event;
    signal.throwIfAborted();
    if (!pace || config.steps === 0) return "none, as there are no steps";
    const seconds = pace.millisecondsPerStep * config.steps / 1000;
    // Without a step after the first chunk, the time includes compilation.
    const about = pace.seconds > 0 ? "about" : "at most";
    return `${about} ${formatSeconds(seconds)} for ${
      grouped(config.steps)
    } steps, not counting evaluations, estimated from ${steps} steps on ${gpu.description}`;
  } catch (error) {
    // Without a device, or for a selection that cannot be trained, the rest is still useful.
    const unmeasured = error instanceof NoAdapterError || error instanceof RangeError ||
      error instanceof OutOfMemoryError;
    if (!unmeasured) throw error;
    return `not measured: ${error.message}`;
  } finally {
    status(terminal, "");
  }
}

type Fact = readonly [string, string];

function exampleFacts(
  { prompt, candidates, label, masked, scored }: Example,
  tokenizer: Tokenizer,
  { limit, names }: { readonly limit: number; readonly names: readonly string[] | undefined },
): Fact[] {
  const right = candidates[label];
  const ids = masked ? prompt : [...prompt, ...right];
  // A mask is visible only if special tokens are shown.
  const spelled = { skipSpecial: masked === undefined };
  const pieces = ids.map((id) => JSON.stringify(tokenizer.decode([id], spelled)));
  const shown = pieces.length <= 2 * MOST_TOKENS
    ? pieces
    : [...pieces.slice(0, MOST_TOKENS), "...", ...pieces.slice(-MOST_TOKENS)];
  const isChoice = candidates.length > 1;
  return [
    ["  text", JSON.stringify(tokenizer.decode(ids, spelled))],
    ["  tokens", `${ids.length}: ${shown.join(" ")}`],
    [
      "  ids",
      ids.slice(0, 2 * MOST_TOKENS).join(" ") + (ids.length > 2 * MOST_TOKENS ? " ..." : ""),
    ],
    ...(isChoice
      ? [
        [
          "  label",
          `${names?.[label] ?? label}, written ${
            JSON.stringify(tokenizer.decode([...right]))
          }, against ${
            candidates.flatMap((it, i) =>
              i === label ? [] : [JSON.stringify(tokenizer.decode([...it]))]
            ).slice(0, 5).join(", ")
          }${candidates.length > 6 ? ", ..." : ""}`,
        ] as const,
      ]
      : []),
    ...(prompt.length > 0 && !isChoice || scored
      ? [["  loss", lossText(right, scored ?? [[0, right.length]], tokenizer)] as const]
      : []),
    ["  length", ids.length < limit ? `below the limit of ${limit}` : `at the limit of ${limit}`],
  ];
}

/** The tokens that the loss covers, if not all. */
function lossText(
  ids: readonly number[],
  scored: NonNullable<Example["scored"]>,
  tokenizer: Tokenizer,
): string {
  const parts = scored.map(([first, end]) => ids.slice(first, end));
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  const texts = parts.map((part) => JSON.stringify(tokenizer.decode(part, { skipSpecial: false })));
  const shown = texts.slice(0, 3).join(" and ");
  return `of ${count} tokens: ${shown}${texts.length > 3 ? " and ..." : ""}`;
}

/** Number of examples, lengths and class counts of each set. */
function setFacts(
  { train, validation, test }: TaskExamples,
  limit: number,
  names: readonly string[] | undefined,
): Fact[] {
  const sets = [["training", train], ["held out", validation], ["test", test]] as const;
  return sets.flatMap(([name, set]): Fact[] => {
    if (!set) return [];
    const { examples } = set;
    const lengths = examples.map(lengthOf);
    const mean = lengths.reduce((sum, it) => sum + it, 0) / Math.max(1, lengths.length);
    const full = lengths.filter((it) => it >= limit).length;
    const counts = new Map<number, number>();
    for (const { label } of examples) counts.set(label, (counts.get(label) ?? 0) + 1);
    const classes = examples.some(({ candidates }) => candidates.length > 1) && names
      ? `; ${
        [...counts].sort(([a], [b]) => a - b).map(([label, count]) =>
          `${names[label] ?? label}: ${grouped(count)}`
        ).join(", ")
      }`
      : "";
    return [[
      name,
      `${grouped(examples.length)} examples of ${mean.toFixed(1)} tokens, ${
        lengths.reduce((most, it) => Math.max(most, it), 0)
      } at most, ${grouped(full)} at the limit of ${limit}${classes}`,
    ]];
  });
}

function planFacts(
  config: TrainConfig,
  examples: TaskExamples,
  plan: TrainingPlan,
): Fact[] {
  const optimiser = optimiserOfConfig(config);
  const perEpoch = stepsPerEpoch(config, examples);
  const forwards = forwardsOf(optimiser);
  const { train, validation } = examples;
  const batch = Math.min(config.batchSize, train.examples.length);
  const perPass = train.examples.reduce((sum, it) => sum + tokensOf(it), 0);
  const tokens = Math.round(perPass / perEpoch * config.steps * forwards);
  const every = config.evaluateEvery;
  const looks = every > 0 ? Math.floor(Math.max(0, config.steps - 1) / every) + 2 : 2;
  const held = Math.min(validation.examples.length, config.evaluateLimit ?? Infinity);
  return [
    ...("refused" in plan ? [["trains", plan.refused] as const] : [
      ["trains", `${grouped(plan.trainableScalars)} scalars by ${optimiser.name}`] as const,
      [
        "memory",
        `${formatBytes(plan.total)} planned for examples of ${plan.length} tokens${
          plan.checkpoints === undefined ? "" : `; ${checkpointsText(plan.checkpoints)}`
        }`,
      ] as const,
      ...exactFacts(plan),
    ]),
    [
      "steps",
      `${grouped(config.steps)} of ${batch} examples: ${
        (config.steps / perEpoch).toFixed(2)
      } passes over the training examples, of ${grouped(perEpoch)} steps each`,
    ],
    [
      "forwards",
      `${grouped(config.steps * forwards)}, ${forwards}${
        optimiser.estimator.exact ? ` and ${backwards(optimiser)}` : ""
      } per step: about ${grouped(tokens)} tokens`,
    ],
    [
      "looks",
      held === 0
        ? "none, because nothing is held out"
        : `${grouped(looks)} evaluations of ${grouped(held)} held-out examples${
          config.patience === undefined
            ? ""
            : `; it stops after ${config.patience} without a lower loss`
        }`,
    ],
    ["output", config.output],
  ];
}

/** The backward passes of a step with exact gradients, as text. */
function backwards(optimiser: Optimiser): string {
  const { estimator } = optimiser;
  const passes = estimator.exactBlocks && !estimator.tangents ? forwardsOf(optimiser) : 1;
  const words = passes === 1 ? "a backward" : `${passes} backwards`;
  return estimator.exactBlocks ? `${words} through the last blocks` : words;
}

/** Memory that exact gradients would take. */
function exactFacts(plan: TrainingPlan): Fact[] {
  const text = exactText(plan);
  return text === undefined ? [] : [["gradients", text]];
}

/** Number of tokens of an example with its correct answer. */
function lengthOf({ prompt, candidates, label, masked }: Example): number {
  return prompt.length + (masked ? 0 : candidates[label].length);
}

/** Number of tokens of an example with all its answers. */
function tokensOf({ prompt, candidates, masked }: Example): number {
  if (masked) return prompt.length;
  return candidates.reduce((sum, it) => sum + it.length, prompt.length);
}
