/**
 * Makes the runs of a benchmark that are not done yet: the first seed with every learning rate, and the others with the one that it chose.
 *
 * @module
 */

import { type Gpu, openGpu } from "../../mod.ts";
import type { OptimiserName } from "../../optim/mod.ts";
import type { SchemeName } from "../../train/mod.ts";
import { DATA } from "../finetune.ts";
import { keepRow, readRows } from "./kept_rows.ts";
import { BUNDLED, CASES } from "./learning_cases.ts";
import { type Job, nameOf, rates, type Row, run } from "./learning_run.ts";

/** The runs to make: every scheme of every case with every optimiser. */
export interface Runs {
  readonly cases: readonly string[];
  readonly schemes: readonly SchemeName[];
  readonly optimisers: readonly OptimiserName[];
  readonly factors: readonly number[];
  readonly seeds: number;
  readonly forwards: number;
  /** Words that the name of a run must contain. */
  readonly only?: string | undefined;
}

/** The runs of a seed that have no row yet. */
function left(runs: Runs, seed: number, rows: readonly Row[]): Job[] {
  const { cases, schemes, optimisers, factors, forwards, only = "" } = runs;
  const done = new Set(rows.map(nameOf));
  const words = only.split(" ").filter((word) => word !== "");
  return cases.flatMap((name) =>
    schemes.flatMap((scheme) =>
      optimisers.flatMap((optimiser) => {
        const job = { case: name, scheme, optimiser, seed, forwards };
        return rates(job, factors, rows).map((factor) => ({ ...job, factor }));
      })
    )
  ).filter((job) =>
    !done.has(nameOf(job)) && words.every((word) => nameOf(job).split(" ").includes(word))
  );
}

const seedsOf = ({ seeds }: Runs) => Array.from({ length: seeds }, (_, seed) => seed);

/** The names of the runs that have no row in the file yet. */
export async function listRuns(path: string, runs: Runs): Promise<string> {
  const rows = await readRows<Row>(path);
  return seedsOf(runs).flatMap((seed) => left(runs, seed, rows)).map(nameOf).join("\n");
}

/** Makes the runs that have no row in the file yet, and appends their rows. */
export async function makeRuns(path: string, runs: Runs): Promise<void> {
  const hasData = await Deno.stat(DATA).then(() => true, () => false);
  using stack = new DisposableStack();
  let gpu: Gpu | undefined;
  for (const seed of seedsOf(runs)) {
    const jobs = left(runs, seed, await readRows<Row>(path));
    const able = jobs.filter((job) => hasData || CASES[job.case].model === BUNDLED);
    if (able.length < jobs.length) {
      console.log(
        `Skipped ${jobs.length - able.length}, because the real models and data are not at ${DATA}`,
      );
    }
    for (const job of able) {
      gpu ??= stack.use(await openGpu());
      // Seeds after the first have the rate that the first one chose.
      const choosing = seed === 0 || runs.factors.length < 2;
      const row = await run(gpu, job, { choosing }).catch((error): Row => {
        if (error?.name !== "NonFiniteLossError") throw error;
        return { ...job, after: { loss: NaN } };
      });
      await keepRow(path, row);
      const what = row.none ?? `${row.before?.loss} -> ${row.after?.loss} in ${row.seconds} s`;
      console.log(`${nameOf(job)}: ${what}`);
    }
  }
}
