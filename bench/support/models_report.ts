/**
 * The results of `deno task bench models`, as a table.
 *
 * @module
 */
import type { ChangePanel } from "../../show/changes_plot.ts";

/** A measurement: with an optimiser, of a training run; with shots, of a model with demonstrations; with neither, of the model alone. */
export interface ModelsRow {
  readonly model: string;
  readonly task: string;
  readonly optimiser?: string;
  readonly seed?: number;
  readonly rate?: number;
  readonly shots?: number;
  readonly forwards?: number;
  /** Loss in nats. Absent if a loss was not finite. */
  readonly loss?: number;
  /** Accuracy from 0 to 1. Only for tasks with candidates. */
  readonly accuracy?: number;
  readonly heldOut: number;
  readonly minutes?: number;
  readonly notes?: readonly string[];
  readonly machine: string;
}

/** A training run. */
export type TrainedRow = ModelsRow & { readonly optimiser: string; readonly seed: number };

/** Whether a row is that of a training run. */
export function isTrained(row: ModelsRow): row is TrainedRow {
  return row.optimiser !== undefined;
}

/** Name that identifies a row. */
export function nameOfRow(
  { model, task, optimiser, seed, rate, shots }: Omit<ModelsRow, "heldOut" | "machine">,
): string {
  if (optimiser === undefined && shots === undefined) return `${model} ${task} before`;
  if (optimiser === undefined) return `${model} ${task} ${shots} shots seed ${seed}`;
  return `${model} ${task} ${optimiser} ${rate ?? "own rate"} seed ${seed}`;
}

/** The planned measurements. */
export interface ModelsPlan {
  readonly models: readonly string[];
  readonly tasks: readonly string[];
  readonly optimisers: readonly string[];
  readonly seeds: readonly number[];
  readonly settings: {
    readonly format: string;
    readonly batch: number;
    readonly forwards: number;
    readonly heldOut: number;
    readonly rates: Readonly<Record<string, readonly number[]>>;
  };
  /** Paragraphs to print below the table. */
  readonly findings?: readonly string[];
}

const percent = (share: number): string => (100 * share).toFixed(1);
const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** A list of values by seed with their mean, or "not run". */
function bySeed(values: readonly (number | undefined)[], show: (x: number) => string): string {
  if (values.length === 0) return "not run";
  const known = values.filter((it) => it !== undefined);
  const list = values.map((it) => it === undefined ? "not finite" : show(it)).join(" / ");
  return known.length > 1 ? `${list} (${show(mean(known))})` : list;
}

/** The distinct learning rates of runs, as a list. */
function rateOf(rows: readonly TrainedRow[]): string {
  const rates = new Set(rows.map(({ rate }) => rate));
  return [...rates].map((rate) => rate ?? "own").join(", ");
}

/** The table, and the values that the picture shows. */
export function modelsReport(
  rows: readonly ModelsRow[],
  { models, tasks, optimisers, seeds, settings, findings = [] }: ModelsPlan,
): { readonly text: string; readonly changes: ChangePanel[] } {
  const lines: string[] = [];
  const changes: ChangePanel[] = [];
  for (const task of tasks) {
    const shown: ChangePanel["rows"][number][] = [];
    for (const model of models) {
      const own = rows.filter((row) => row.model === model && row.task === task);
      const before = own.find((row) => !isTrained(row) && row.shots === undefined);
      const line = (
        method: string,
        some: readonly ModelsRow[],
        rate = "",
        forwards: string | number = "",
      ) => {
        const accuracies = some.flatMap(({ accuracy }) => accuracy ?? []);
        const judged = task === "text" ? "" : bySeed(accuracies, percent);
        lines.push(
          `| ${model} | ${task} | ${method} | ${rate} | ${forwards} | ${
            bySeed(some.map(({ loss }) => loss), (x) => x.toFixed(3))
          } | ${judged} |`,
        );
      };
      line(task === "text" ? "before" : "zero-shot", before ? [before] : []);
      if (task !== "text") {
        const shots = own.filter((row) => row.shots !== undefined).sort(byItsSeed);
        line(`${shots[0]?.shots ?? ""} in context`.trim(), shots);
      }
      for (const optimiser of optimisers) {
        const some = own.filter(isTrained).filter((row) =>
          row.optimiser === optimiser && seeds.includes(row.seed)
        ).sort(byItsSeed);
        line(optimiser, some, rateOf(some), some[0]?.forwards ?? "");
        const after = some.flatMap(({ loss }) => loss ?? []);
        if (before?.loss !== undefined && after.length > 0) {
          shown.push({ name: `${model} ${optimiser}`, before: before.loss, after });
        }
      }
    }
    if (shown.length > 0) changes.push({ name: task, rows: shown });
  }
  const machines = [...new Set(rows.map(({ machine }) => machine))];
  const text = [
    "# Three optimisers on models of three shapes",
    "",
    `\`deno task bench models\` (resumable). Weights at ${settings.format}, batches of ${settings.batch}, about ${settings.forwards} forward passes per run, ${settings.heldOut} held-out examples`,
    "(for text, a tenth of the reviews, in sequences of 48 tokens). `reviews-4m` is a Llama model, `reviews-opt-3m` an OPT model, and `reviews-roberta-3m` a RoBERTa model, whose text loss is that of masked tokens.",
    `The learning rate of \`qzo\` is ${
      Object.entries(settings.rates).map(([task, rates]) => `${rates.join(" or ")} (${task})`)
        .join(", ")
    }; if there are several, seed 0 chooses. With seed 0, 1.5e-4 was also tried on SST-2 (worse with all three models) and TREC (worse with reviews-4m, better with reviews-opt-3m, 1.882 instead of 1.917), and on text 1e-4 (4.001 with reviews-4m, 4.143 with reviews-opt-3m) and 5e-4 (7.700 with reviews-4m), which is worse than no training. \`zoSgd\`, the`,
    "same estimate without clipping and without keeping the sign of scales, uses the same rate. Both have a warm-up of 5 steps and then fall linearly to 0. `qzoPlus` uses its default settings.",
    `Seeds ${
      seeds.join(", ")
    } are reported, by seed and with their mean; where a cell has fewer values, the other runs were not made.`,
    "",
    ...machines,
    "",
    "![before and after](models.svg)",
    "",
    "| model | task | method | learning rate | forwards | held-out loss | accuracy, % |",
    "|---|---|---|---|---|---|---|",
    ...lines,
    "",
    ...findings,
  ].join("\n");
  return { text, changes };
}

function byItsSeed(a: ModelsRow, b: ModelsRow): number {
  return (a.seed ?? 0) - (b.seed ?? 0);
}
