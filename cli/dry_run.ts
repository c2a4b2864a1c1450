/**
 * What a fine-tune would do, without a device: examples as the model sees them, and what would be trained for how long.
 *
 * @module
 */
import { openModelSource, type Tokenizer } from "../models/mod.ts";
import type { Example } from "../models/batch.ts";
import {
  configuredSource,
  describeTask,
  optimiserOfConfig,
  stepsPerEpoch,
  type TaskExamples,
  taskOfConfig,
  type TrainConfig,
  withSteps,
} from "../train/mod.ts";
import type { Call } from "./command.ts";
import { formatBytes } from "./progress.ts";
import { facts, grouped, notes } from "./terminal.ts";
import { trainingPlan } from "./training_plan.ts";
import { readExamples } from "./tuned.ts";

const SHOWN = 3;

/** Tokens of an example that are shown from its beginning and from its end. */
const MOST_TOKENS = 24;

/** Prints what a fine-tune would learn from and do. @throws What opening the model and reading the data throw */
export async function dryRun(call: Call, asked: TrainConfig): Promise<void> {
  const { terminal, signal } = call;
  using stored = await openModelSource(asked.model);
  const source = await configuredSource(stored, asked, signal);
  notes(terminal, source.notes);
  const { tokenizer } = source;
  if (!tokenizer) throw new RangeError(`Cannot tokenise for "${source.name}": it has no tokenizer`);
  const { context } = source.config;
  const examples = await readExamples(tokenizer, asked, call, { maxPositions: context });
  const config = withSteps(asked, examples);
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
  terminal.out("Nothing was trained: leave out --dry-run to begin");
}

type Fact = readonly [string, string];

function exampleFacts(
  { prompt, candidates, label }: Example,
  tokenizer: Tokenizer,
  { limit, names }: { readonly limit: number; readonly names: readonly string[] | undefined },
): Fact[] {
  const right = candidates[label];
  const ids = [...prompt, ...right];
  const pieces = ids.map((id) => JSON.stringify(tokenizer.decode([id])));
  const shown = pieces.length <= 2 * MOST_TOKENS
    ? pieces
    : [...pieces.slice(0, MOST_TOKENS), "...", ...pieces.slice(-MOST_TOKENS)];
  const isChoice = candidates.length > 1;
  return [
    ["  text", JSON.stringify(tokenizer.decode(ids))],
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
    ["  length", ids.length < limit ? `below the limit of ${limit}` : `at the limit of ${limit}`],
  ];
}

/** Counts of each set: examples, classes, lengths. */
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
  plan: ReturnType<typeof trainingPlan>,
): Fact[] {
  const optimiser = optimiserOfConfig(config);
  const perEpoch = stepsPerEpoch(config, examples);
  const { evaluations } = optimiser;
  const { train, validation } = examples;
  const batch = Math.min(config.batchSize, train.examples.length);
  const perPass = train.examples.reduce((sum, it) => sum + tokensOf(it), 0);
  const tokens = Math.round(perPass / perEpoch * config.steps * evaluations);
  const every = config.evaluateEvery;
  const looks = every > 0 ? Math.floor(Math.max(0, config.steps - 1) / every) + 2 : 2;
  const held = Math.min(validation.examples.length, config.evaluateLimit ?? Infinity);
  return [
    ...("refused" in plan ? [["trains", plan.refused] as const] : [
      ["trains", `${grouped(plan.trainableScalars)} scalars by ${optimiser.name}`] as const,
      [
        "memory",
        `${formatBytes(plan.total)} planned for examples of ${plan.length} tokens`,
      ] as const,
    ]),
    [
      "steps",
      `${grouped(config.steps)} of ${batch} examples: ${
        (config.steps / perEpoch).toFixed(2)
      } passes over the training examples, of ${grouped(perEpoch)} steps each`,
    ],
    [
      "forwards",
      `${grouped(config.steps * evaluations)}, ${evaluations} a step: about ${
        grouped(tokens)
      } tokens`,
    ],
    [
      "looks",
      held === 0
        ? "none, as nothing is held out"
        : `${grouped(looks)} evaluations of ${grouped(held)} held-out examples${
          config.patience === undefined
            ? ""
            : `; it stops after ${config.patience} without a lower loss`
        }`,
    ],
    ["output", config.output],
  ];
}

/** Tokens of an example with its right answer. */
function lengthOf({ prompt, candidates, label }: Example): number {
  return prompt.length + candidates[label].length;
}

/** Tokens of an example with all its answers. */
function tokensOf({ prompt, candidates }: Example): number {
  return candidates.reduce((sum, it) => sum + it.length, prompt.length);
}
