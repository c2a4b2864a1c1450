/**
 * One training run of a benchmark: a case, a scheme, an optimiser and a seed, with a number of forward passes.
 *
 * @module
 */

import process from "node:process";
import { join } from "@std/path";
import { type Gpu, loadModel, quantizedSource } from "../../mod.ts";
import { type Model, type ModelSource, packBatch, startedAdapter } from "../../models/mod.ts";
import { namedOptimisers, type Optimiser, type OptimiserName } from "../../optim/mod.ts";
import { adapterDefaults } from "../../train/config/optimiser.ts";
import { readTrainConfig } from "../../train/config/schema.ts";
import {
  configuredAdapter,
  evaluate,
  finetune,
  offsetsFor,
  optimiserOfConfig,
  planMemory,
  type SchemeName,
  selectionOfConfig,
  type TrainConfig,
} from "../../train/mod.ts";
import { DATA } from "../finetune.ts";
import { CASES, HELD_OUT, type Opened } from "./learning_cases.ts";
import { describeMachine } from "./machine.ts";

/** A run to make. */
export interface Job {
  readonly case: string;
  readonly scheme: SchemeName;
  readonly optimiser: OptimiserName;
  readonly factor: number;
  readonly seed: number;
  readonly forwards: number;
}

/** Loss and accuracy on some examples. */
export interface Judged {
  readonly loss: number;
  readonly accuracy?: number | undefined;
}

/** A finished run. If the model has nothing that the scheme trains, only the reason. */
export interface Row extends Job {
  readonly none?: string;
  readonly before?: Judged;
  readonly after?: Judged;
  /** Loss on the examples by which learning rates are chosen. Undefined if it was not needed. */
  readonly choice?: number;
  readonly steps?: number;
  readonly scalars?: number;
  /** Total memory in MiB; `own` is that of offsets and optimiser. */
  readonly memory?: number;
  readonly own?: number;
  readonly seconds?: number;
  /** Processor time in seconds, which depends little on what else the machine is doing. */
  readonly processor?: number;
  readonly machine?: string;
}

/** Name that identifies a run. */
export const nameOf = ({ case: of, scheme, optimiser, factor, seed, forwards }: Job) =>
  `${of} ${scheme} ${optimiser} x${factor} seed ${seed} forwards ${forwards}`;

/** Cost of a step with an exact gradient, of everything or a part, in forward passes. `deno task bench derivatives` measured 3.35 and 3.45. */
export const EXACT_COST = 3.4;

/** Cost of a step of an optimiser in forward passes. */
export function costOf({ estimator, evaluations }: Optimiser): number {
  return estimator.exact ? EXACT_COST : evaluations;
}

/** The configuration of a run: defaults, with every learning rate multiplied by the factor. */
function configOf({ scheme, optimiser: name, factor, seed, forwards, ...job }: Job): TrainConfig {
  const { model, format, batchSize } = CASES[job.case];
  const of = (steps: number, more = {}) =>
    readTrainConfig({
      model: join(DATA, "models", model),
      quantize: { format },
      scheme,
      seed,
      steps,
      batch_size: batchSize,
      ...more,
    }, "bench");
  const usual = of(1, { optimiser: { name } });
  const made = optimiserOfConfig(usual);
  const steps = Math.max(1, Math.floor(forwards / costOf(made)));
  if (factor === 1) return of(steps, { optimiser: { name, schedule: { kind: "linear" } } });
  const { shared } = namedOptimisers[name];
  const alone = made.groups === undefined && usual.trainables.kinds.find((kind) => kind === scheme);
  const rate = alone ? adapterDefaults(name, alone).learningRate : shared.learningRate.default!;
  return of(steps, {
    optimiser: { name, learning_rate: factor * rate, schedule: { kind: "linear" } },
    ...made.groups
      ? {
        groups: Object.fromEntries(
          made.groups.map((one) => [one.name, { learning_rate: factor * one.learningRate }]),
        ),
      }
      : {},
  });
}

/** The starting point of a case's runs: its model, and its results before training by scheme and seed. */
interface Start extends Disposable {
  readonly gpu: Gpu;
  readonly of: string;
  readonly opened: Opened;
  readonly source: ModelSource;
  readonly base: Model;
  readonly before: Map<string, Judged>;
}

/** The starting point of the last run, because the next run is usually of the same case. */
let last: Start | undefined;

async function startOf(gpu: Gpu, of: string): Promise<Start> {
  if (last?.gpu === gpu && last.of === of) return last;
  last?.[Symbol.dispose]();
  last = undefined;
  const { open, format } = CASES[of];
  const opened = await open();
  const source = quantizedSource(opened.source, { format });
  const base = await loadModel(gpu, source);
  const dispose = () => {
    base[Symbol.dispose]();
    opened[Symbol.dispose]();
  };
  return last = { gpu, of, opened, source, base, before: new Map(), [Symbol.dispose]: dispose };
}

/** Options of {@linkcode run}. */
export interface RunOptions {
  /** Whether the examples by which learning rates are chosen are evaluated. */
  readonly choosing: boolean;
}

/** Makes a run. */
export async function run(gpu: Gpu, job: Job, { choosing }: RunOptions): Promise<Row> {
  const { objective, batchSize, heldOut: few = HELD_OUT } = CASES[job.case];
  const config = configOf(job);
  const start = await startOf(gpu, job.case);
  const { opened: { train, heldOut }, source, base } = start;
  const held = heldOut.slice(0, few);
  // Taken from the end of the training examples, which are then not trained on.
  const chosenBy = objective === "classification" ? train.slice(-few) : train.slice(-48);
  const seen = train.slice(0, train.length - chosenBy.length);
  const made = configuredAdapter(config, base);
  const added = made && await startedAdapter(base, made);
  using adapted = added && base.withAdapter(added);
  const model = adapted ?? base;
  const optimiser = optimiserOfConfig(config);
  const selection = selectionOfConfig(config);
  const { seed, steps } = config;
  const how = { selection, train: seen, objective, batchSize, seed };
  let offsets;
  try {
    offsets = await offsetsFor(model, optimiser, how);
  } catch (error) {
    if (error instanceof RangeError && error.message.includes("no tensor has kind")) {
      return { ...job, none: "the model has none" };
    }
    throw error;
  }
  using owned = offsets;
  const settings = { objective, batchSize };
  const judge = async (some: typeof held, moved?: typeof offsets): Promise<Judged> => {
    const { loss, accuracy } = await evaluate(model, some, {
      ...settings,
      ...moved ? { offsets: moved } : {},
    });
    return { loss: Number(loss.toFixed(5)), ...accuracy ? { accuracy: accuracy.accuracy } : {} };
  };
  const key = `${job.scheme} ${seed}`;
  const before = start.before.get(key) ?? await judge(held);
  start.before.set(key, before);
  const [begun, used] = [performance.now(), process.cpuUsage()];
  for await (
    const _ of finetune({
      ...{ model, optimiser, offsets: owned, train: seen, steps, seed },
      ...settings,
      keepBest: false,
    })
  );
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(used);
  const after = await judge(held, owned);
  const choice = choosing ? { choice: (await judge(chosenBy, owned)).loss } : {};
  const { shape } = packBatch(seen.slice(0, batchSize), objective, model);
  const plan = planMemory(source, { optimiser, selection, adapter: added, shape });
  const mebibytes = (bytes: number) => Number((bytes / 2 ** 20).toFixed(2));
  return {
    ...{ ...job, before, after, ...choice, steps, scalars: owned.scalars },
    ...{ memory: mebibytes(plan.total), own: mebibytes(plan.offsets + plan.optimiser) },
    ...{
      seconds: Number(seconds.toFixed(1)),
      processor: Number(((user + system) / 1e6).toFixed(1)),
    },
    ...{ machine: await describeMachine(gpu.description) },
  };
}

/** The arithmetic mean. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The loss after training. NaN if the run diverged, for which a file of rows has null. */
export function lossAfter({ after }: Row): number {
  return after?.loss ?? NaN;
}

/** A table cell: the loss after training, by seed, and the accuracy if there is one. */
export function cell(rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  if (rows.some(({ none }) => none)) return "none";
  const losses = rows.map(lossAfter);
  const loss = mean(losses);
  if (!Number.isFinite(loss)) return "diverged";
  const accuracies = rows.flatMap(({ after }) => after?.accuracy ?? []);
  const spread = losses.length > 1
    ? ` (${Math.min(...losses).toFixed(3)}-${Math.max(...losses).toFixed(3)})`
    : "";
  return `${loss.toFixed(3)}${spread}${
    accuracies.length > 0 ? `, ${(100 * mean(accuracies)).toFixed(1)} %` : ""
  }`;
}

/** Groups rows by a key. */
export function by<Key>(rows: readonly Row[], key: (row: Row) => Key): Map<Key, Row[]> {
  const out = new Map<Key, Row[]>();
  for (const row of rows) out.set(key(row), [...out.get(key(row)) ?? [], row]);
  return out;
}

/**
 * The rows with the best learning rate, if several were tried. It is chosen by the mean loss on the choosing examples over the seeds that all rates
 * have been tried with, so that a rate chosen with one seed can be repeated with others.
 */
export function best(rows: readonly Row[]): Row[] | undefined {
  const tried = [...by(rows, ({ factor }) => factor).values()];
  if (tried.length < 2) return undefined;
  const seedsOf = (some: readonly Row[]) => new Set(some.map(({ seed }) => seed));
  const judged = seedsOf(rows.filter(({ choice }) => choice !== undefined));
  const shared = tried.map(seedsOf).reduce((one, other) => one.intersection(other), judged);
  const score = (some: readonly Row[]) => {
    const those = some.filter(({ seed }) => shared.has(seed));
    const found = mean(those.map(({ choice = Infinity }) => choice));
    return Number.isFinite(found) ? found : Infinity;
  };
  return tried.reduce((one, other) => score(other) < score(one) ? other : one);
}

/** The rows of the chosen learning rate, or those of the default one if there was no choice. */
export function chosen(rows: readonly Row[]): readonly Row[] {
  return best(rows) ?? rows.filter(({ factor }) => factor === 1);
}

/** The multiples of the learning rate to try. Seeds after the first use only the one that was chosen with the first. */
export function rates(
  job: Omit<Job, "factor">,
  factors: readonly number[],
  rows: readonly Row[],
): readonly number[] {
  if (job.seed === 0 || factors.length < 2) return factors;
  const { case: of, scheme, optimiser, forwards } = job;
  const tried = rows.filter((row) =>
    row.case === of && row.scheme === scheme && row.optimiser === optimiser &&
    row.forwards === forwards && row.seed === 0 && !row.none
  );
  const chosen = best(tried)?.[0].factor;
  return factors.filter((factor) => factor === chosen);
}
