/**
 * Compares tuning schemes and optimisers with equal numbers of forward passes: the decrease of the loss, what is trained, memory and time. All schemes
 * of configurations are included. Finished runs are kept in a file and not repeated, so it can be interrupted; the table is made from that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import { type OptimiserName, optimiserNames } from "../optim/mod.ts";
import { schemeNames } from "../train/config/scheme_schema.ts";
import type { SchemeName } from "../train/mod.ts";
import { readRows } from "./support/kept_rows.ts";
import { CASES } from "./support/learning_cases.ts";
import { best, by, cell, type Row } from "./support/learning_run.ts";
import { countsOf } from "./support/schemes_counts.ts";
import { listRuns, makeRuns } from "./support/make_runs.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("schemes.jsonl");
const REPORT = results("schemes.md");

/** Number of forward passes of each run, whatever its optimiser. */
const FORWARDS = 300;

/** Multiples of the default learning rates to try. The best is chosen on examples that are neither trained on nor held out. */
const FACTORS = [1, 0.1, 10, 100];

const OPTIMISERS: readonly OptimiserName[] = [
  "qzo",
  "qzoNormalised",
  "qzoPlus",
  "zoSgd",
  "zoAdam",
  "zoSgdSign",
];

const HELP =
  `Trains real models with every scheme and several optimisers, with equal numbers of forward passes, and writes a table.

Usage: deno task bench schemes [options]

  --only TEXT        runs whose name has all words of TEXT, for example "sst2 lora qzoPlus"
  --seeds N          seeds 0 to N-1 (default 1)
  --factors LIST     multiples of the default learning rates (default 1; a grid: ${
    FACTORS.join(",")
  };
                     seeds after the first have the best of them)
  --optimisers LIST  names (default ${OPTIMISERS.join(",")})
  --schemes LIST     names (default: all)
  --forwards N       another number of forwards (default ${FORWARDS}; kept under its own name)
  --list             the runs that are not done yet
  --table            write the table of what is done, run nothing

Example: deno task bench schemes --only "stories int4" --seeds 3 --factors ${FACTORS.join(",")}`;

function tableOf(name: string, rows: readonly Row[]): string[] {
  const start = rows.find(({ before }) => before)?.before;
  const [{ forwards }] = rows;
  const optimisers = optimiserNames.filter((one) =>
    rows.some(({ optimiser }) => optimiser === one)
  );
  const schemes = schemeNames.filter((one) => rows.some(({ scheme }) => scheme === one));
  const of = (scheme: SchemeName, optimiser: OptimiserName) =>
    rows.filter((row) => row.scheme === scheme && row.optimiser === optimiser);
  const lines = schemes.flatMap((scheme) => {
    const cells = optimisers.map((optimiser) => of(scheme, optimiser));
    const usual = cells.map((some) => cell(some.filter(({ factor }) => factor === 1)));
    const tuned = cells.map((some) => {
      const found = best(some);
      return found ? `${cell(found)} at x${found[0].factor}` : "";
    });
    const made = rows.filter((row) => row.scheme === scheme && !row.none);
    const facts = made.length === 0
      ? " | | | |"
      : ` ${range(made, "scalars", 0)} | ${range(made, "own")} | ${range(made, "memory")} | ${
        range(made, "processor", 0)
      } |`;
    return [
      `| ${scheme} | ${usual.join(" | ")} |${facts}`,
      ...tuned.some((one) => one !== "")
        ? [`| ${scheme}, tuned | ${tuned.join(" | ")} | | | | |`]
        : [],
    ];
  });
  return [
    `## ${name}`,
    "",
    `${CASES[name]?.model} at ${CASES[name]?.format}, ${forwards} forwards, ${
      new Set(rows.map(({ seed }) => seed)).size
    } seeds at most. Before: ${start?.loss.toFixed(3)}${
      start?.accuracy === undefined ? "" : `, ${(100 * start.accuracy).toFixed(1)} %`
    }.`,
    "",
    `| scheme | ${
      optimisers.join(" | ")
    } | scalars | MiB of offsets and optimiser | MiB in all | processor seconds |`,
    `|---|${optimisers.map(() => "---|").join("")}---|---|---|---|`,
    ...lines,
    "",
  ];
}

function range(
  rows: readonly Row[],
  key: "scalars" | "own" | "memory" | "processor",
  digits = 1,
): string {
  const values = rows.flatMap((row) => row[key] ?? []);
  if (values.length === 0) return "";
  const [low, high] = [Math.min(...values), Math.max(...values)].map((it) => it.toFixed(digits));
  return low === high ? low : `${low} to ${high}`;
}

const CLAIMS = results("schemes_claims.md");

async function report(rows: readonly Row[]): Promise<string> {
  const tables = [...by(rows, ({ case: of, forwards }) => `${of}|${forwards}`)].flatMap((
    [key, some],
  ) => tableOf(key.split("|")[0], some));
  const claims = await Deno.readTextFile(CLAIMS).catch(() => "");
  return [
    "# Schemes by optimisers",
    "",
    "`deno task bench schemes` (resumable, [rows](schemes.jsonl)). Held-out loss in nats (mean over seeds, lowest and highest) and accuracy after training with each optimiser's default",
    "epsilon and learning rate, which falls linearly to 0. Tuned: of the multiples of the default rate that were tried with the first seed, the one with the lowest loss on examples that are",
    "neither trained on nor held out; the other seeds have that one. On the bundled model 1, 10 and 100 were tried (0.1 as well with scales, LoRA and IA3), elsewhere 1 and 5 for `qzoPlus` and `qzoNormalised`, and 10 and 100 for the others,",
    "whose defaults are for far longer runs (`--factors`), with 1 as well for `zoAdam` on adapters. None: the model has nothing of that kind. Seconds are of one processor, start and evaluation left out.",
    "",
    ...tables,
    ...countsOf(rows),
    ...claims === "" ? [] : [claims.trim(), ""],
    rows.at(-1)?.machine ?? "",
    "",
  ].join("\n");
}

const list = <Name extends string>(text: string): Name[] => text.split(",") as Name[];

/** Makes the runs that are not done yet, then writes the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["only", "seeds", "factors", "optimisers", "schemes", "forwards"],
    boolean: ["list", "table", "help"],
    default: { seeds: "1", factors: "1" },
  });
  if (args.help) return console.log(HELP);
  const runs = {
    cases: Object.keys(CASES),
    schemes: args.schemes ? list<SchemeName>(args.schemes) : schemeNames,
    optimisers: args.optimisers ? list<OptimiserName>(args.optimisers) : OPTIMISERS,
    factors: args.factors.split(",").map(Number),
    seeds: Number(args.seeds),
    forwards: Number(args.forwards ?? FORWARDS),
    only: args.only,
  };
  if (args.list) return console.log(await listRuns(ROWS, runs));
  if (!args.table) await makeRuns(ROWS, runs);
  const text = await report(await readRows<Row>(ROWS));
  await Deno.writeTextFile(REPORT, text);
  console.log(text);
}

if (import.meta.main) await main(Deno.args);
