/**
 * What a comparison of optimisers says: a row for each case and optimiser.
 *
 * @module
 */
import {
  type BenchmarkPoint,
  type BenchmarkResult,
  benchmarkResult,
  finalLoss,
} from "./benchmark.ts";
import type { Benchmark } from "./benchmark_config.ts";
import { forwardsTo } from "./forwards_to.ts";

/** An optimiser on a case: its finalists, or where there are none yet its best trial. */
export interface BenchmarkRow {
  /** On which model and data. */
  readonly case: string;
  /** By which optimiser. */
  readonly optimiser: string;
  /** The chosen one; undefined: the optimiser's own. */
  readonly learningRate: number | undefined;
  /** The runs it stands on. */
  readonly runs: readonly BenchmarkResult[];
  /** Whether those are finalists, whose seeds had no part in choosing the learning rate. */
  readonly finalists: boolean;
  /** Runs that diverged, trials included. */
  readonly diverged: number;
  /** Held-out evaluations, averaged over the runs that reached them. */
  readonly curve: readonly BenchmarkPoint[];
  /**
   * Forwards after which the averaged curve, straight between evaluations, is at or below the final loss of the case's first optimiser,
   * if it gets there.
   */
  readonly forwardsToFirst: number | undefined;
}

/** Mean and standard deviation of a sample. */
export function spread(
  values: readonly number[],
): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

function averaged(runs: readonly BenchmarkResult[]): BenchmarkPoint[] {
  const longest = runs.reduce((most, { points }) => Math.max(most, points.length), 0);
  return Array.from({ length: longest }, (_, i) => {
    const points = runs.flatMap(({ points }) => points[i] ?? []);
    const accuracies = points.flatMap(({ accuracy }) => accuracy ?? []);
    return {
      forwards: points[0].forwards,
      loss: spread(points.map(({ loss }) => loss)).mean,
      ...(accuracies.length > 0 ? { accuracy: spread(accuracies).mean } : {}),
    };
  });
}

/** Rows of what is done, in the order of the comparison. */
export async function benchmarkRows(benchmark: Benchmark): Promise<BenchmarkRow[]> {
  const rows: BenchmarkRow[] = [];
  for (const at of benchmark.cases) {
    let target: number | undefined;
    for (const optimiser of benchmark.optimisers) {
      const row = await rowOf(benchmark, at, optimiser, target);
      if (!row) continue;
      target ??= row.curve.at(-1)?.loss;
      rows.push(row);
    }
  }
  return rows;
}

async function rowOf(
  benchmark: Benchmark,
  at: string,
  optimiser: string,
  target: number | undefined,
): Promise<BenchmarkRow | undefined> {
  const resultOf = (learningRate: number | undefined, seed: number) =>
    benchmarkResult(benchmark.job({ case: at, optimiser, learningRate, seed }));
  const rates = benchmark.learningRates(optimiser);
  const trials: BenchmarkResult[] = [];
  for (const rate of rates.length > 0 ? rates : [undefined]) {
    const trial = await resultOf(rate, 0);
    if (trial) trials.push(trial);
  }
  if (trials.length === 0) return undefined;
  const best = trials.reduce((a, b) => finalLoss(b) < finalLoss(a) ? b : a);
  const { learningRate } = best.job;
  const finals: BenchmarkResult[] = [];
  for (let seed = 1; seed <= benchmark.seeds; seed++) {
    const final = await resultOf(learningRate, seed);
    if (final) finals.push(final);
  }
  const runs = finals.length > 0 ? finals : [best];
  const curve = averaged(runs);
  return {
    case: at,
    optimiser,
    learningRate,
    runs,
    finalists: finals.length > 0,
    diverged: [...trials, ...finals].filter(({ diverged }) => diverged).length,
    curve,
    forwardsToFirst: target === undefined ? undefined : forwardsTo(curve, target),
  };
}

function plusMinus(values: readonly number[], digits: number, factor = 1): string {
  const { mean, deviation } = spread(values);
  const show = (value: number) => (factor * value).toFixed(digits);
  return values.length > 1 ? `${show(mean)} ± ${show(deviation)}` : show(mean);
}

/**
 * The rows as a markdown table: final held-out loss and accuracy (mean ± standard deviation over seeds), and the share of the case's
 * largest drop in loss.
 */
export function benchmarkTable(rows: readonly BenchmarkRow[]): string {
  const drops = new Map<string, number>();
  for (const row of rows) {
    drops.set(row.case, Math.max(drops.get(row.case) ?? 0, dropOf(row)));
  }
  const lines = rows.map((row) => {
    const { runs, curve, learningRate, diverged, forwardsToFirst } = row;
    const ends = runs.flatMap(({ points, diverged }) => diverged ? [] : points.at(-1) ?? []);
    const accuracies = ends.flatMap(({ accuracy }) => accuracy ?? []);
    const share = dropOf(row) / drops.get(row.case)!;
    const cells = [
      row.case,
      row.optimiser,
      learningRate ?? "default",
      curve.at(-1)?.forwards ?? "",
      row.finalists ? runs.length : "trial",
      curve[0]?.loss.toFixed(3) ?? "",
      ends.length > 0 ? plusMinus(ends.map(({ loss }) => loss), 3) : "",
      accuracies.length > 0 ? plusMinus(accuracies, 1, 100) : "",
      Number.isFinite(share) ? `${Math.round(100 * share)} %` : "",
      forwardsToFirst ?? "",
      diverged,
      spread(runs.map(({ minutes }) => minutes)).mean.toFixed(1),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| case | optimiser | learning rate | forwards | seeds | loss before | after | accuracy after, % | share of the best drop | forwards to the first's loss | diverged | minutes |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

function dropOf({ curve }: BenchmarkRow): number {
  const [first, last] = [curve[0], curve.at(-1)];
  return first && last ? first.loss - last.loss : 0;
}
