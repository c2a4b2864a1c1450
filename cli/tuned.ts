/**
 * Parts shared by the commands that work with a model and, optionally, a fine-tune of it.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import type { OffsetSet } from "../kernels/mod.ts";
import type { Tokenizer } from "../models/mod.ts";
import { sightOf } from "../models/architectures.ts";
import { MLX_WEIGHTS } from "../models/checkpoints/adapters/open_mlx.ts";
import { PEFT_CONFIG, PEFT_WEIGHTS } from "../models/checkpoints/adapters/open_peft.ts";
import { noTokenizer } from "../models/checkpoints/disk/no_tokenizer.ts";
import { damageText } from "../optim/mod.ts";
import {
  adapterOfLedger,
  type AdapterShare,
  type FineTune,
  offsetsAfter,
  openFineTune,
  openRunSession,
  readMetrics,
  runFolder,
  type RunSession,
  type RunSessionOptions,
  type TaskExamples,
  taskExamples,
  type TaskExamplesOptions,
  type TrainConfig,
} from "../train/mod.ts";
import { statePaths, stepsKept } from "../train/ledgers/fine_tune_file.ts";
import { inputsOf, type OutputRules } from "../train/runs/outputs.ts";
import { bestEvaluation } from "../train/runs/run_folder.ts";
import { adapterOption, adaptersOf, sharesText } from "./adapter_flags.ts";
import type { Call, OptionSpec } from "./command.ts";
import { grouped, notes, percent, status, type Terminal } from "../show/terminal.ts";
import { UsageError } from "./usage_error.ts";

/** The flags that select a fine-tune. */
export const tunedOptions: Readonly<Record<string, OptionSpec>> = {
  ledger: { kind: "text", path: true, doc: "ledger or run folder of the fine-tune" },
  ...adapterOption,
  step: {
    kind: "text",
    doc:
      "best (lowest held-out loss among evaluations whose accuracy is within the 95 % interval of the highest), last, or a step number [best, if the run was evaluated]",
  },
};

/** The flag of commands that write files. */
export const forceOption: Readonly<Record<string, OptionSpec>> = {
  force: { kind: "flag", doc: "overwrite existing files, but never a file the command reads" },
};

/** The rules for a command's output files, which may not be files that it reads. `more` are further files that it reads. */
export async function outputRules(
  { options, runPath, configPath }: Call,
  config: TrainConfig,
  ...more: readonly (string | undefined)[]
): Promise<OutputRules> {
  const named = options.text("ledger");
  const ledger = named === undefined || !await isFolder(named) ? named : runFolder(named).ledger;
  const run = runPath === undefined ? undefined : runFolder(runPath);
  const inputs = await inputsOf(
    config,
    ...[configPath, ledger, ledger && join(dirname(ledger), "metrics.jsonl")],
    ...(ledger === undefined ? [] : Object.values(statePaths(ledger))),
    ...[run?.ledger, run?.state, run?.best, run?.metrics, run?.config, run?.lock],
    ...[...adaptersOf({ options }).flatMap(filesOfAdapter), ...more],
  );
  return { inputs, force: options.flag("force") };
}

/** Files that an adapter at a path may be read from. */
function filesOfAdapter({ path }: AdapterShare): string[] {
  return [path, ...[PEFT_CONFIG, PEFT_WEIGHTS, MLX_WEIGHTS].map((name) => join(path, name))];
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then((it) => it.isDirectory, () => false);
}

/** A fine-tune and the number of its steps to use. */
export interface ChosenLedger extends FineTune {
  /** Number of steps from its beginning. */
  readonly steps: number;
  /** Why this number was chosen, if nobody asked for a number: `the last`, `the best of 5 evaluations`. */
  readonly why?: string | undefined;
}

/** The ledger that a command line names, by `--ledger` or by the run's folder. Undefined if it names none. */
export async function chosenLedger(
  { options, runPath, terminal }: Call,
): Promise<ChosenLedger | undefined> {
  const named = options.text("ledger") ?? runPath;
  if (named === undefined) {
    if (options.text("step") !== undefined) {
      throw new UsageError("Cannot use --step without --ledger or a run's folder");
    }
    return undefined;
  }
  const path = await isFolder(named) ? runFolder(named).ledger : named;
  const tune = await openFineTune(path);
  notes(terminal, tune.ledger.notes);
  const chosen = await chosenSteps(options.text("step")?.toLowerCase(), tune);
  notes(terminal, chosen.notes);
  return { ...tune, ...chosen };
}

/** The number of steps to replay, with notes on the choice. */
interface ChosenSteps {
  readonly steps: number;
  readonly why?: string;
  readonly notes?: readonly string[];
}

async function chosenSteps(
  step: string | undefined,
  tune: FineTune,
): Promise<ChosenSteps> {
  const { path, length, ledger: { records, damage } } = tune;
  const steps = Number(step ?? NaN);
  if (Number.isInteger(steps) && steps >= 0 && steps <= length) {
    assertKept(tune, steps);
    return { steps };
  }
  if (damage && !tune.states) {
    throw new SyntaxError(
      `Cannot use "${path}": ${damageText(damage)}. ` +
        `The ${records.length} steps before it are intact: use them with --step ${records.length}, restore the file from a backup, or continue from there with finetune --resume, which keeps a copy of the damaged file`,
    );
  }
  const last = { steps: length, why: "the last" };
  if (step === "last") return last;
  if (step === undefined || step === "best") {
    const metrics = join(dirname(path), "metrics.jsonl");
    const evaluated = (await readMetrics(metrics)).filter((it) => it.step <= length);
    const best = bestEvaluation(evaluated);
    const looks = new Set(evaluated.flatMap((it) => it.type === "evaluation" ? [it.step] : []));
    // Only the base model was evaluated; being the best of one says nothing.
    const unseen = best !== undefined && looks.size === 1 && looks.has(0) && length > 0;
    const end = evaluated.reduce((most, it) => Math.max(most, it.step), 0);
    if (best && !unseen) {
      // A better step was saved, but the run was killed before its metrics were.
      const untold = !isKept(tune, best.step);
      return {
        steps: untold ? tune.states!.at(-1)!.step : best.step,
        why: `the best of ${looks.size} evaluations`,
        notes: end < length
          ? [
            `the run's metrics end at step ${end} of ${length}, as if it were still going on: step ${best.step} is the best of ${looks.size} evaluations so far; --step last uses all steps`,
          ]
          : [],
      };
    }
    const after = "only at step 0, which is the base model";
    if (step === undefined) {
      return unseen
        ? {
          ...last,
          notes: [`"${path}" was evaluated ${after}: its last step, ${length}, is used`],
        }
        : last;
    }
    throw new RangeError(
      `Cannot tell the best step of "${path}": ${
        unseen ? `it was evaluated ${after}` : `"${metrics}" has no evaluation`
      }. Use --step last for the last one`,
    );
  }
  throw new RangeError(
    `Cannot replay ${step} steps of "${path}": expected best, last, or 0 to ${length}`,
  );
}

function isKept({ states }: FineTune, steps: number): boolean {
  return !states || steps === 0 || states.some(({ step }) => step === steps);
}

/** Rejects a step of a run with exact gradients for which no state was saved. */
function assertKept(tune: FineTune, steps: number): void {
  if (isKept(tune, steps)) return;
  throw new RangeError(
    `Cannot use step ${steps} of "${tune.path}": its gradients were exact, so it cannot be replayed, and offsets were saved only for steps ${
      stepsKept(tune)
    }: use one of these, or --step last`,
  );
}

/** The adapter of a session: that of the fine-tune's ledger if a fine-tune was chosen, otherwise that of `--adapter`. */
export function besideOf(
  chosen: ChosenLedger | undefined,
  { options }: Pick<Call, "options">,
): RunSessionOptions["beside"] {
  const named = adaptersOf({ options });
  if (chosen && (named.length > 1 || named.some(({ weight = 1 }) => weight !== 1))) {
    throw new UsageError(
      `Cannot use --adapter ${
        sharesText(named)
      } with the fine-tune "${chosen.path}": only the adapter that its training started from can go with it; export the fine-tune and give the written file as another --adapter`,
    );
  }
  return (_, given) =>
    chosen ? adapterOfLedger(chosen.ledger, given) : named.length > 0 ? given : undefined;
}

/** Opens the configured session and shows the progress of loading. `check` is called before the device is opened. */
export async function loadSession(
  config: TrainConfig,
  call: Call,
  { check = () => {}, beside }: Pick<RunSessionOptions, "check" | "beside"> = {},
): Promise<RunSession> {
  const { terminal, signal } = call;
  const adapters = adaptersOf(call);
  status(terminal, `Opening ${config.model}`);
  try {
    const session = await openRunSession(config, {
      signal,
      check,
      beside,
      ...(adapters.length === 0 ? {} : { adapter: adapters }),
      onProgress: ({ done, total }) => {
        status(terminal, `Loading ${config.model}: ${done} of ${total} tensors`);
      },
    });
    status(terminal, "");
    notes(terminal, session.source.notes);
    notes(terminal, session.notes);
    return session;
  } finally {
    status(terminal, "");
  }
}

/** The offsets of a fine-tune on the session's device. */
export async function tunedOffsets(
  session: RunSession,
  chosen: ChosenLedger,
  call: Call,
): Promise<OffsetSet> {
  const { steps, states } = chosen;
  status(call.terminal, states ? `Reading step ${steps}` : `Replaying ${steps} steps`);
  try {
    const offsets = await offsetsAfter(session.model, chosen, { steps, signal: call.signal });
    offsets.freeMoments();
    return offsets;
  } finally {
    status(call.terminal, "");
  }
}

/**
 * The tokenizer of a session.
 *
 * @throws {RangeError} when the model has none.
 */
export function tokenizerOf(
  { model, source }: RunSession,
): NonNullable<RunSession["model"]["tokenizer"]> {
  if (model.tokenizer) return model.tokenizer;
  throw noTokenizer(source.name);
}

/** Shows the progress of an evaluation. Call `clear` after it. */
export function evaluationStatus(
  terminal: Terminal,
  what: string,
): { onProgress: (done: number, total: number) => void; clear: () => void } {
  return {
    onProgress: (done, total) => status(terminal, `Evaluating ${what}: ${done} of ${total}`),
    clear: () => status(terminal, ""),
  };
}

/** Reads the examples of a configuration for a session's model. Shows the progress and prints their notes. */
export function examplesFor(
  session: RunSession,
  config: TrainConfig,
  call: Call,
  splits?: TaskExamplesOptions["splits"],
  more: Pick<TaskExamplesOptions, "judging" | "shots"> = {},
): Promise<TaskExamples> {
  const { maxPositions, config: { architecture } } = session.model;
  const how = { maxPositions, sees: sightOf({ architecture }), splits, ...more };
  return readExamples(tokenizerOf(session), config, call, how);
}

/** {@linkcode examplesFor} without a model on a device. */
export async function readExamples(
  tokenizer: Tokenizer,
  config: TrainConfig,
  { terminal, signal }: Call,
  { maxPositions, ...how }: Pick<
    TaskExamplesOptions,
    "maxPositions" | "sees" | "splits" | "judging" | "shots"
  >,
): Promise<TaskExamples> {
  let told = performance.now();
  try {
    const examples = await taskExamples(config, tokenizer, {
      ...(maxPositions === undefined ? {} : { maxPositions }),
      ...how,
      signal,
      onProgress: ({ file, examples, share }) => {
        const text = `Reading ${file}: ${grouped(examples)} examples, ${
          percent(share)
        } of the file`;
        status(terminal, text);
        // If the output cannot be redrawn, a line every few seconds shows that reading continues.
        if (terminal.progress.columns() !== undefined || performance.now() - told < 5000) return;
        told = performance.now();
        terminal.note(text);
      },
    });
    status(terminal, "");
    notes(terminal, examples.notes);
    return examples;
  } finally {
    status(terminal, "");
  }
}
