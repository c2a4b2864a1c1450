/**
 * The results of a comparison of optimisers: one row per case and optimiser.
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

/** The result of an optimiser on a case: its final runs or, before there are any, its best trial. */
export interface BenchmarkRow {
  /** Name of the case. */
  readonly case: string;
  /** Name of the optimiser. */
  readonly optimiser: string;
  /** The chosen learning rate. Undefined for the optimiser's default. */
  readonly learningRate: number | undefined;
  /** The runs that the row is computed from. */
  readonly runs: readonly BenchmarkResult[];
  /** Whether these are final runs, whose seeds were not used to choose the learning rate. */
  readonly finalists: boolean;
  /** Number of runs that diverged, including trials. */
  readonly diverged: number;
  /** Held-out evaluations, each averaged over the runs that reached it. */
  readonly curve: readonly BenchmarkPoint[];
  /**
   * Number of forward passes after which the averaged curve, interpolated linearly, reaches the final loss of the case's first optimiser.
   * Undefined if it does not.
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

/** The rows for all finished runs, in the order of the comparison. */
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
 * The rows as a Markdown table: final held-out loss and accuracy (mean ± standard deviation over seeds), and the drop in loss as a fraction of
 * the largest drop in the case.
 *
 * @example A row of one run
 * ```ts
 * import { benchmarkTable, parseBenchmark } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const benchmark = parseBenchmark("cases: {reviews: {model: a.gguf, task: sst2}}\noptimisers: {qzo: {name: qzo}}", "a.yaml");
 * const [learningRate, names] = [undefined, { case: "reviews", optimiser: "qzo" }];
 * const curve = [{ forwards: 0, loss: 0.7 }, { forwards: 320, loss: 0.6 }];
 * const run = { job: benchmark.job({ ...names, learningRate, seed: 1 }), points: curve, minutes: 1.5, diverged: false };
 * const row = { ...names, learningRate, runs: [run], finalists: true, diverged: 0, curve, forwardsToFirst: 320 };
 * assertEquals(
 *   benchmarkTable([row]).split("\n")[2],
 *   "| reviews | qzo | default | 320 | 1 | 0.700 | 0.600 |  | 100 % | 320 | 0 | 1.5 |",
 * );
 * ```
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
