/**
 * `qzo finetune`: trains a model in a run folder of its own, or resumes such a run.
 *
 * @module
 */
import { DeviceLostError, type PacingLimits } from "../../kernels/mod.ts";
import { isFromSystem } from "../../models/checkpoints/disk/attempt.ts";
import { adapterOfScheme } from "../../train/config/scheme_schema.ts";
import { adapterSchemeNames } from "../../models/adapters/schemes.ts";
import {
  adapterOfLedger,
  assertExportable,
  configuredAdapter,
  type Evaluation,
  exportOffsets,
  offsetsAfter,
  openFineTune,
  openLedger,
  readMetrics,
  Run,
  runFolder,
  type RunSession,
  StillSteps,
  type TaskExamples,
  type TrainConfig,
  withReopening,
} from "../../train/mod.ts";
import { withSteps } from "../../train/runs/epochs.ts";
import { tunedPath } from "../../train/runs/export_run.ts";
import { checkModelOutput, checkRunOutput } from "../../train/runs/outputs.ts";
import { RunLock } from "../../train/runs/run_lock.ts";
import { gpuOptions } from "../../train/runs/session.ts";
import { storableText } from "../../train/runs/storable.ts";
import { describeTask } from "../../train/runs/task_examples.ts";
import type { Call, Command } from "../command.ts";
import { writeCurve } from "../../show/curve_file.ts";
import { decided, stepsFor } from "../decided.ts";
import { dryRun } from "../dry_run.ts";
import { invocation, quoted } from "../invocation.ts";
import { exactAdvice, trainingPlan } from "../training_plan.ts";
import { UsageError } from "../usage_error.ts";
import { looksAt } from "../looks.ts";
import { foldRows, keptNotes, resultText } from "../report.ts";
import { begun, facts, grouped, notes, progressLine, status } from "../../show/terminal.ts";
import { bytesOf, resultRows, type Seen, stateRows } from "../run_result.ts";
import { examplesOfRun, type FoundExamples } from "../run_examples.ts";
import { evaluationStatus, forceOption, loadSession, outputRules } from "../tuned.ts";

/** `qzo finetune`. */
export const finetuneCommand: Command = {
  name: "finetune",
  summary: "train a model's scales on a task and save the results in a run folder",
  positional: "model",
  finishes: true,
  first: ["model", "task", "data", "steps", "learning-rate", "output"],
  takesData: true,
  examples: [
    "finetune model.gguf chats.jsonl",
    "finetune config.yaml",
    "finetune config.yaml --steps 100 --optimiser.learning-rate 0.01",
    "finetune --model model.gguf --task sst2 --data data/sst2 --steps 200 --output runs/a",
    "finetune config.yaml --dry-run",
    "finetune config.yaml --epochs 3 --patience 5",
    "finetune runs/a --resume",
  ],
  options: {
    ...forceOption,
    resume: { kind: "flag", doc: "resume the run in the output folder" },
    "dry-run": {
      kind: "flag",
      doc:
        "show tokenised examples, what would be trained and how long it would take, without training",
    },
    export: {
      kind: "flag",
      doc: "write the tuned model at the end: tuned.gguf or tuned/; for an adapter, adapter/",
    },
  },
  keys: [
    "model",
    "task",
    "data",
    "optimiser",
    "scheme",
    "adapter",
    ...adapterSchemeNames,
    "trainables",
    "groups",
    "batch_size",
    "steps",
    "epochs",
    "seed",
    "max_length",
    "evaluate_every",
    "evaluate_limit",
    "patience",
    "log",
    "output",
    "device",
    "quantize",
  ],
  run: async (call) => {
    const { options, runPath, terminal, signal } = call;
    const read = call.config();
    const resume = options.flag("resume");
    const named = runPath === undefined ? read : { ...read, output: runPath };
    const config = resume ? named : await decided(call, named);
    if (options.flag("dry-run")) return await dryRun(call, config);
    const rules = await outputRules(call, config);
    await checkRunOutput(config.output, { ...rules, resume });
    // A locked run is reported now, before the model is loaded. Opening the run locks it again.
    if (resume) (await RunLock.take(config.output))[Symbol.dispose]();
    const { ledger } = runFolder(config.output);
    const canGoOn = () => Deno.stat(ledger).then(({ isFile }) => isFile, () => false);
    let failed: unknown;
    try {
      await withReopening(async ({ pacing, again }) => {
        const paced = pacing ? withSubmissions(config, pacing) : config;
        const goesOn = resume || again;
        const before = goesOn && adapterOfScheme(config.scheme) && await canGoOn()
          ? await openLedger(ledger)
          : undefined;
        using session = await loadSession(paced, call, {
          check: async (source) => {
            if (options.flag("export")) {
              const beside = adapterOfScheme(config.scheme);
              const adapted = beside !== undefined;
              const foreign = config.trainables.kinds.find((kind) => kind !== beside);
              if (adapted && foreign !== undefined) {
                throw new UsageError(
                  `Cannot export what is trained: no single file can contain both ${foreign} of the base and ${beside} next to it; the ledger has both, so leave out --export`,
                );
              }
              const path = tunedPath(config.output, { source, adapted });
              await checkModelOutput(path, rules);
              if (!adapted) await assertExportable(source, path);
            }
          },
          beside: (model, given) => {
            const made = configuredAdapter(paced, model, given);
            // The initial adapter was computed once, maybe on another machine; the ledger has it.
            return made?.start && before ? adapterOfLedger(before, given) : made;
          },
        });
        const tell = !again;
        const found = await examplesOfRun(call, paced, session, goesOn);
        const { examples } = found;
        const own = resume ? withSteps(paced, examples) : stepsFor(call, paced, examples, { tell });
        const seen = await train(call, own, session, found, goesOn);
        if (seen) await summarise(call, own, session, examples, seen);
      }, {
        pacing: gpuOptions(config).pacing,
        canGoOn,
        onLost: ({ message }, { submission }) =>
          terminal.note(
            `note: ${message}. It is reopened, with at most ${submission} ms of work at a time (device.submission), and the run continues from where its files are`,
          ),
      });
    } catch (error) {
      failed = error;
      throw error;
    } finally {
      // A full disk, or a device that is lost too often, stops a run as a signal does: its ledger is intact.
      const stopped = signal.aborted || isFromSystem(failed) || failed instanceof DeviceLostError;
      if (stopped && await canGoOn()) {
        const also = options.flag("export") ? " --export" : "";
        terminal.note(
          `To resume: ${invocation()} finetune ${quoted(config.output)} --resume${also}`,
        );
      }
    }
  },
};

/** The configuration with the given number of milliseconds per submission. */
function withSubmissions(config: TrainConfig, { submission }: PacingLimits): TrainConfig {
  return { ...config, device: { ...config.device, submission: Math.max(1, submission) } };
}

/** Trains to the end. Undefined if it was interrupted. */
async function train(
  call: Call,
  config: TrainConfig,
  session: RunSession,
  { examples, keep }: FoundExamples,
  resume: boolean,
): Promise<Seen | undefined> {
  const { options, terminal, signal } = call;
  const { gpu, model } = session;
  const choice = evaluationStatus(terminal, "batches to choose a layer");
  const measured = config.optimiser.teacher === undefined ? "tensors" : "batches";
  const gains = evaluationStatus(terminal, `${measured} to measure the sensitivity of the loss`);
  const heldOut = (step: number, done: number, total: number) => {
    const when = step === 0 ? " before the first step" : "";
    const text = `Evaluating held-out examples${when}: ${done} of ${total}`;
    (step === 0 && done === 0 ? begun : status)(terminal, text);
  };
  const about = { session, examples, onChoice: choice.onProgress, onEvaluation: heldOut };
  using run = resume ? await Run.resume(config, about) : await Run.begin(config, {
    ...about,
    force: options.flag("force"),
    onGains: gains.onProgress,
    signal,
  });
  choice.clear();
  gains.clear();
  notes(terminal, [...run.notes, ...await keep?.() ?? []]);
  const { layers } = config.trainables;
  const gradients = resume ? undefined : exactAdvice(trainingPlan(session.source, run.config));
  facts(terminal, [
    ["model", `${session.source.name} on ${gpu.description}`],
    [
      "task",
      `${describeTask(config)}, ${grouped(examples.train.examples.length)} examples, ${
        grouped(examples.validation.examples.length)
      } held out${keep ? "" : ", tokenised in an earlier session"}`,
    ],
    [
      "training",
      `${
        grouped(run.offsets.scalars)
      } scalars of ${run.offsets.trainables.length} tensors with ${run.optimiser.name}`,
    ],
    ...(typeof layers === "string"
      ? [["layer", `${run.config.trainables.layers?.[0]}, the ${layers} one`] as const]
      : []),
    ...(gradients === undefined ? [] : [["exact gradients", gradients] as const]),
    ...run.storables.map((one) => ["an export keeps", storableText(one)] as const),
    ["output", run.resumedAt > 0 ? `${config.output}, from step ${run.resumedAt}` : config.output],
  ]);
  const line = progressLine(terminal);
  try {
    let first: number | undefined;
    let evaluationSeconds = 0;
    let loss: number | undefined;
    let accuracy: number | undefined;
    let base: Evaluation | undefined;
    const still = new StillSteps(config.optimiser.epsilon);
    const warn = (words: string | undefined) => words && line.log(`note: ${words}`);
    for await (const event of run.train(signal)) {
      if (event.type === "evaluation") {
        accuracy = event.evaluation.accuracy?.accuracy;
        if (event.step === 0) base = event.evaluation;
        evaluationSeconds = event.seconds;
        status(terminal, "");
        line.log(
          `step ${event.step}  held-out ${
            resultText({
              loss: event.evaluation.loss,
              ...(accuracy === undefined ? {} : { accuracy }),
            })
          }${event.best && event.step > 0 ? "  best so far" : ""}`,
        );
        await writeCurve(run.folder.curve, run.metrics.events, describeTask(config));
      } else if (event.type === "step") {
        // The first step includes compilation, so time is estimated from the steps after it.
        first ??= event.step;
        warn(still.add(event.derivatives));
        loss = loss === undefined ? event.loss : 0.95 * loss + 0.05 * event.loss;
        line.show({
          step: event.step,
          total: config.steps,
          seconds: event.seconds,
          countedFrom: first,
          secondsBeside: evaluationSeconds * evaluationsAfter(event.step, config),
          loss,
          ...(accuracy === undefined ? {} : { accuracy }),
          tokensPerSecond: event.tokensPerSecond,
          memory: model.gpu.memory.total,
        });
      } else {
        warn(still.end());
        await writeCurve(run.folder.curve, run.metrics.events, describeTask(config));
        if (event.reason === "patience") {
          line.log(
            `stopped early at step ${event.step}: the held-out loss has not fallen for ${config.patience} evaluations`,
          );
        }
        if (event.reason === "aborted") return undefined;
        const { last } = event;
        return { ...base ? { first: base } : {}, ...last ? { last } : {} };
      }
    }
    return undefined;
  } finally {
    line[Symbol.dispose]();
  }
}

/** Number of evaluations that are still to come after a step. */
function evaluationsAfter(step: number, { steps, evaluateEvery }: TrainConfig): number {
  const between = evaluateEvery > 0
    ? Math.floor((steps - 1) / evaluateEvery) - Math.floor(step / evaluateEvery)
    : 0;
  return Math.max(0, between) + 1;
}

/** Prints losses before and after training on examples that were not trained on, and exports the tuned model if asked to. */
async function summarise(
  call: Call,
  config: TrainConfig,
  session: RunSession,
  examples: TaskExamples,
  seen: Seen,
): Promise<void> {
  const { options, terminal, signal } = call;
  const folder = runFolder(config.output);
  const tune = await openFineTune(folder.ledger);
  const looks = looksAt(await readMetrics(folder.metrics));
  const chosen = looks.best?.step ?? tune.length;
  const rows = await resultRows(call, config, session, examples, { seen, looks, tune });
  let exported: [string, string][] = [];
  if (options.flag("export") && chosen === 0) {
    const last = tune.length > 0
      ? `: ${invocation()} export ${quoted(config.output)} --step last writes the last step`
      : "";
    exported = [["model", `not written, because no step was better than the base model${last}`]];
  } else if (options.flag("export")) {
    using offsets = await offsetsAfter(session.model, tune, { steps: chosen, signal });
    offsets.freeMoments();
    const adapted = session.model.adapter !== undefined;
    const path = tunedPath(config.output, { source: session.source, adapted });
    status(terminal, `Writing ${path}`);
    const report = await exportOffsets(session, offsets, path, { signal });
    status(terminal, "");
    notes(terminal, report.notes);
    notes(terminal, keptNotes(report));
    exported = [["model", path], ...foldRows(report)];
  }
  facts(terminal, [
    ...rows,
    ["ledger", `${folder.ledger}, ${await bytesOf(folder.ledger)}`],
    ...await stateRows(tune),
    ["curve", folder.curve],
    ...exported,
  ]);
}
