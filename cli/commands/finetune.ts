/**
 * `qzo finetune`: trains into a folder of its own, begun or gone on with.
 *
 * @module
 */
import { DeviceLostError, type PacingLimits } from "../../kernels/mod.ts";
import { isFromSystem } from "../../models/attempt.ts";
import {
  assertExportable,
  bestEvaluation,
  checkModelOutput,
  checkRunOutput,
  describeTask,
  evaluate,
  exportOffsets,
  gpuOptions,
  openLedger,
  readMetrics,
  replayLedger,
  Run,
  runFolder,
  RunLock,
  type RunSession,
  type TaskExamples,
  type TrainConfig,
  tunedPath,
  withReopening,
} from "../../train/mod.ts";
import type { Call, Command } from "../command.ts";
import { writeCurve } from "../curve_file.ts";
import { invocation, quoted } from "../invocation.ts";
import { lossText, resultText } from "../report.ts";
import { begun, facts, grouped, notes, progressLine, status } from "../terminal.ts";
import { evaluationStatus, examplesFor, forceOption, loadSession, outputRules } from "../tuned.ts";

/** `qzo finetune`. */
export const finetuneCommand: Command = {
  name: "finetune",
  summary: "train a model's scales on a task, into a run's folder",
  positional: "model",
  examples: [
    "finetune config.yaml",
    "finetune config.yaml --steps 100 --optimiser.learning-rate 0.01",
    "finetune --model model.gguf --task sst2 --data data/sst2 --steps 200 --output runs/a",
    "finetune runs/a --resume",
  ],
  options: {
    ...forceOption,
    resume: { kind: "flag", doc: "go on with the run in the output folder" },
    export: { kind: "flag", doc: "write the tuned model at the end: tuned.gguf, or tuned/" },
  },
  keys: [
    "model",
    "task",
    "data",
    "optimiser",
    "trainables",
    "batch_size",
    "steps",
    "seed",
    "max_length",
    "evaluate_every",
    "evaluate_limit",
    "output",
    "device",
    "quantize",
  ],
  run: async (call) => {
    const { options, runPath, terminal, signal } = call;
    const read = call.config();
    const config = runPath === undefined ? read : { ...read, output: runPath };
    const rules = await outputRules(call, config);
    const resume = options.flag("resume");
    await checkRunOutput(config.output, { ...rules, resume });
    // Told now, and not when the model is loaded; opening the run looks again.
    if (resume) (await RunLock.take(config.output))[Symbol.dispose]();
    const { ledger } = runFolder(config.output);
    const canGoOn = () => Deno.stat(ledger).then(({ isFile }) => isFile, () => false);
    let failed: unknown;
    try {
      await withReopening(async ({ pacing, again }) => {
        const own = pacing ? withSubmissions(config, pacing) : config;
        using session = await loadSession(own, call, async (source) => {
          if (options.flag("export")) {
            const path = tunedPath(config.output, { source });
            await checkModelOutput(path, rules);
            await assertExportable(source, path);
          }
        });
        const examples = await examplesFor(session, own, call);
        const finished = await train(call, own, session, examples, resume || again);
        if (finished) await summarise(call, own, session, examples);
      }, {
        pacing: gpuOptions(config).pacing,
        canGoOn,
        onLost: ({ message }, { submission }) =>
          terminal.note(
            `note: ${message}. It is opened anew, with at most ${submission} ms of work at a time (device.submission), and the run goes on from its ledger`,
          ),
      });
    } catch (error) {
      failed = error;
      throw error;
    } finally {
      // A full disk stops a run as a signal does: its ledger is whole. So does a device that is lost once too often.
      const stopped = signal.aborted || isFromSystem(failed) || failed instanceof DeviceLostError;
      if (stopped && await canGoOn()) {
        const also = options.flag("export") ? " --export" : "";
        terminal.note(
          `To go on: ${invocation()} finetune ${quoted(config.output)} --resume${also}`,
        );
      }
    }
  },
};

/** The configuration with that many milliseconds to a submission. */
function withSubmissions(config: TrainConfig, { submission }: PacingLimits): TrainConfig {
  return { ...config, device: { ...config.device, submission: Math.max(1, submission) } };
}

/** Trains to the end or until interrupted; says which. */
async function train(
  call: Call,
  config: TrainConfig,
  session: RunSession,
  examples: TaskExamples,
  resume: boolean,
): Promise<boolean> {
  const { options, terminal, signal } = call;
  const { gpu, model } = session;
  const choice = evaluationStatus(terminal, "batches to choose a layer");
  const gains = evaluationStatus(terminal, "tensors to see how steep the loss is along each");
  const heldOut = (step: number, done: number, total: number) => {
    const when = step === 0 ? " before the first step" : "";
    const text = `Evaluating held-out examples${when}: ${done} of ${total}`;
    if (step === 0 && done === 0) begun(terminal, text);
    else status(terminal, text);
  };
  using run = await Run.open(config, {
    session,
    examples,
    resume,
    force: options.flag("force"),
    onChoice: choice.onProgress,
    onGains: gains.onProgress,
    onEvaluation: heldOut,
    signal,
  });
  choice.clear();
  gains.clear();
  notes(terminal, run.notes);
  const { layers } = config.trainables;
  facts(terminal, [
    ["model", `${session.source.name} on ${gpu.description}`],
    [
      "task",
      `${describeTask(config)}, ${grouped(examples.train.examples.length)} examples, ${
        grouped(examples.validation.examples.length)
      } held out`,
    ],
    [
      "training",
      `${
        grouped(run.offsets.scalars)
      } scalars of ${run.offsets.trainables.length} tensors by ${run.optimiser.name}`,
    ],
    ...(typeof layers === "string"
      ? [["layer", `${run.config.trainables.layers?.[0]}, the ${layers} one`] as const]
      : []),
    ["output", run.resumedAt > 0 ? `${config.output}, from step ${run.resumedAt}` : config.output],
  ]);
  const line = progressLine(terminal);
  try {
    let first: number | undefined;
    let evaluationSeconds = 0;
    let loss: number | undefined;
    let accuracy: number | undefined;
    for await (const event of run.train(signal)) {
      if (event.type === "evaluation") {
        accuracy = event.evaluation.accuracy?.accuracy;
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
        // The first step compiles: time is told from those after it.
        first ??= event.step;
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
        await writeCurve(run.folder.curve, run.metrics.events, describeTask(config));
        return event.reason === "done";
      }
    }
    return true;
  } finally {
    line[Symbol.dispose]();
  }
}

/** Evaluations that are still to come after a step. */
function evaluationsAfter(step: number, { steps, evaluateEvery }: TrainConfig): number {
  const between = evaluateEvery > 0
    ? Math.floor((steps - 1) / evaluateEvery) - Math.floor(step / evaluateEvery)
    : 0;
  return Math.max(0, between) + 1;
}

/** Before and after, on what was not trained on; the tuned model if it is wanted. */
async function summarise(
  call: Call,
  config: TrainConfig,
  session: RunSession,
  { objective, validation, test }: TaskExamples,
): Promise<void> {
  const { options, terminal, signal } = call;
  const folder = runFolder(config.output);
  const ledger = await openLedger(folder.ledger);
  const { steps, before, after } = await measured(config);
  using offsets = await replayLedger(session.model, ledger, { steps, signal });
  offsets.freeMoments();
  const limited = (config.evaluateLimit ?? Infinity) < validation.examples.length;
  // A task's own test file costs minutes on a slow device: only when it is asked for.
  const wanted = config.data.test !== undefined || config.data.testLimit !== undefined;
  const tested = wanted ? test : undefined;
  const set = tested ?? (limited ? validation : undefined);
  const name = tested ? "test" : "held-out";
  let results = { before, after };
  if (set) {
    const progress = evaluationStatus(terminal, `${name} examples`);
    const settings = {
      objective,
      batchSize: config.batchSize,
      signal,
      onProgress: progress.onProgress,
    };
    const one = async (tuned: boolean) => {
      const { loss, accuracy } = await evaluate(session.model, set.examples, {
        ...settings,
        ...(tuned ? { offsets } : {}),
      });
      return { loss, ...(accuracy ? { accuracy: accuracy.accuracy } : {}) };
    };
    results = { before: await one(false), after: await one(true) };
    progress.clear();
  }
  let exported: string | undefined;
  if (options.flag("export")) {
    const path = tunedPath(config.output, session);
    status(terminal, `Writing ${path}`);
    const { changed, swallowed, notes: said } = await exportOffsets(session, offsets, path, {
      signal,
    });
    status(terminal, "");
    notes(terminal, said);
    exported = `${path}, ${grouped(changed)} values changed, ${
      grouped(swallowed)
    } lost to rounding`;
  }
  facts(terminal, [
    results.before && [`${name} before`, resultText(results.before)],
    results.after && [`${name} after`, `${resultText(results.after)}${gain(results)}`],
    [
      "best step",
      steps === 0
        ? "0: no step was better than the base model"
        : `${steps} of ${ledger.records.length}`,
    ],
    ["ledger", `${folder.ledger}, ${grouped((await Deno.stat(folder.ledger)).size)} bytes`],
    ["curve", folder.curve],
    exported === undefined ? undefined : ["model", exported],
  ]);
}

interface Result {
  readonly loss: number;
  readonly accuracy?: number;
}

/** What the run's own evaluations say: at the beginning, and where it was best. */
async function measured(
  { output, steps }: TrainConfig,
): Promise<{ steps: number; before?: Result; after?: Result }> {
  const events = await readMetrics(runFolder(output).metrics);
  const before = events.find((it) => it.type === "evaluation" && it.step === 0);
  const after = bestEvaluation(events);
  return {
    steps: after?.step ?? steps,
    ...(before?.type === "evaluation" ? { before } : {}),
    ...(after ? { after } : {}),
  };
}

function gain({ before, after }: { before?: Result; after?: Result }): string {
  if (!before || !after) return "";
  if (before.accuracy === undefined || after.accuracy === undefined) {
    return `  (${lossText(before.loss - after.loss)} lower)`;
  }
  const difference = after.accuracy - before.accuracy;
  return `  (${difference < 0 ? "" : "+"}${(100 * difference).toFixed(1)} points)`;
}
