/**
 * Compares exact gradients, tangents and zeroth order at equal cost in forward passes: loss after training, seconds and memory, for scales and LoRA.
 * Finished runs are kept in a file and not repeated, so it can be interrupted; the table and the picture are made from that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import type { OptimiserName } from "../optim/mod.ts";
import { costsSvg } from "../show/costs_plot.ts";
import type { SchemeName } from "../train/mod.ts";
import { readRows } from "./support/kept_rows.ts";
import { by, chosen, EXACT_COST, type Job, mean, type Row } from "./support/learning_run.ts";
import { listRuns, makeRuns } from "./support/make_runs.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("exact.jsonl");
const REPORT = results("exact.md");
const PICTURE = results("exact.svg");

/** Forward passes of each run, whatever its optimiser. A step with a backward pass counts as several. */
const FORWARDS = 300;

const CASES_OF = [
  "brief-sst2 int4",
  "brief-sst2 int2",
  "brief-trec int4",
  "brief-trec int2",
  "stories int4",
  "stories int2",
];

const OPTIMISERS: readonly OptimiserName[] = [
  "foAdam",
  "foSgd",
  "hybridZoFo",
  "forwardGrad",
  "qzo",
  "qzoNormalised",
  "qzoPlus",
];

const SCHEMES: readonly SchemeName[] = ["full", "lora"];

const HELP =
  `Trains small models with exact gradients, tangents and zeroth-order optimisers, with the time of equal numbers of forward passes, and writes a table and a picture.

Usage: deno task bench exact [options]

  --only TEXT        runs whose name has all words of TEXT, for example "brief-sst2 int4 foAdam"
  --seeds N          seeds 0 to N-1 (default 3)
  --factors LIST     multiples of the default learning rates (default 1); seeds after the first have the best of them
  --optimisers LIST  names (default ${OPTIMISERS.join(",")})
  --schemes LIST     names (default ${SCHEMES.join(",")})
  --forwards N       another number of forwards (default ${FORWARDS}; kept under its own name)
  --list             the runs that are not done yet
  --table            write the table and the picture of what is done, run nothing

Example: deno task bench exact --only "brief-sst2 int4" --seeds 1 --factors 1,0.1,10`;

/** Name of a scheme in the tables. */
const trained = (scheme: SchemeName): string => scheme === "full" ? "scales" : scheme;

/** The rows of a method that the picture shows: those with the chosen learning rate, or with the default one. */
function shown(rows: readonly Row[]): readonly Row[] {
  return chosen(rows).filter(({ after }) => after !== undefined);
}

/** The rows of a method that the table lists: those with the default learning rate, and those with the chosen one. */
function listed(rows: readonly Row[]): (readonly Row[])[] {
  const usual = rows.filter(({ factor, after }) => factor === 1 && after !== undefined);
  const others = shown(rows);
  return [usual, ...others[0]?.factor === 1 ? [] : [others]].filter(({ length }) => length > 0);
}

function spread(values: readonly number[], digits: number): string {
  if (values.some((it) => !Number.isFinite(it))) return "diverged";
  const middle = mean(values).toFixed(digits);
  if (values.length < 2) return middle;
  return `${middle} (${Math.min(...values).toFixed(digits)}-${
    Math.max(...values).toFixed(digits)
  })`;
}

function processorSeconds(rows: readonly Row[]): string {
  const known = rows.flatMap(({ processor }) => processor ?? []);
  return known.length > 0 ? mean(known).toFixed(1) : "";
}

/** A line of the table. Times are averaged over all learning rates, which do not affect them. */
function line(rows: readonly Row[], ofMethod: readonly Row[]): string {
  const [{ optimiser, scheme, factor, steps, memory, own, scalars }] = rows;
  const accuracies = rows.flatMap(({ after }) => after?.accuracy ?? []);
  return `| ${
    [
      optimiser,
      trained(scheme),
      `x${factor}`,
      spread(rows.map(({ after }) => after!.loss), 3),
      accuracies.length > 0 ? (100 * mean(accuracies)).toFixed(1) : "",
      rows.length,
      steps ?? "",
      processorSeconds(ofMethod),
      memory ?? "",
      own ?? "",
      scalars ?? "",
    ].join(" | ")
  } |`;
}

const methodOf = ({ optimiser, scheme }: Job) => `${optimiser} ${trained(scheme)}`;

function tableOf(name: string, rows: readonly Row[]): string[] {
  const before = rows.find((row) => row.before)?.before;
  const methods = [...by(rows, methodOf).values()].flatMap(listed);
  const order = methods.toSorted((a, b) =>
    mean(a.map((row) => row.after!.loss)) - mean(b.map((row) => row.after!.loss))
  );
  return [
    `## ${name}`,
    "",
    `Before: ${before?.loss.toFixed(3)}${
      before?.accuracy === undefined ? "" : `, ${(100 * before.accuracy).toFixed(1)} %`
    }.`,
    "",
    "| optimiser | trains | rate | loss | accuracy, % | seeds | steps | processor seconds | MiB in all | MiB of offsets and optimiser | scalars |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
    ...order.map((some) => line(some, rows.filter((row) => methodOf(row) === methodOf(some[0])))),
    "",
  ];
}

async function report(rows: readonly Row[]): Promise<string> {
  const findings = await Deno.readTextFile(results("exact_findings.md")).catch(() => "");
  return [
    "# Exact gradients and zeroth order",
    "",
    `\`deno task bench exact\` (resumable). Held-out loss in nats (mean over seeds, lowest and highest) after training with the time of ${FORWARDS} forward passes. A step with an`,
    `exact gradient counts as ${EXACT_COST} forward passes, which is what \`deno task bench derivatives\` measures, one of the others as the forward passes it makes. Rates are multiples of the`,
    "default: the default itself, and of those tried with the first seed the one with the lowest loss on as many examples that are neither trained on nor held out. They fall linearly to 0. Memory is what the",
    "plan says, which is what is allocated. Seconds are of one processor, start and evaluation left out; two runs were made at a time.",
    "",
    "![loss against memory](exact.svg)",
    "",
    ...findings === "" ? [] : [findings.trim(), ""],
    ...[...by(rows, (row) => row.case)].flatMap(([name, some]) => tableOf(name, some)),
    rows.at(-1)?.machine ?? "",
    "",
  ].join("\n");
}

function picture(rows: readonly Row[]): string {
  const panels = [...by(rows, (row) => row.case)].map(([name, some]) => ({
    name,
    before: some.find((row) => row.before)?.before?.loss ?? NaN,
    methods: [...by(some, methodOf).values()].map(shown).flatMap((made) => {
      const [{ optimiser, scheme, memory } = {} as Partial<Row>] = made;
      if (optimiser === undefined || memory === undefined) return [];
      return [{
        ...{ name: optimiser, hollow: scheme === "lora", cost: memory },
        losses: made.map(({ after }) => after!.loss),
      }];
    }),
  }));
  return costsSvg(
    panels,
    "Held-out loss against memory (MiB): scales, and LoRA hollow; dashed: before",
  );
}

/** Makes the runs that are not done yet, then writes the table and the picture. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["only", "seeds", "factors", "optimisers", "schemes", "forwards"],
    boolean: ["list", "table", "help"],
    default: { seeds: "3", factors: "1" },
  });
  if (args.help) return console.log(HELP);
  const list = <Name extends string>(text: string | undefined, all: readonly Name[]) =>
    text ? text.split(",") as Name[] : all;
  const runs = {
    cases: CASES_OF,
    schemes: list(args.schemes, SCHEMES),
    optimisers: list(args.optimisers, OPTIMISERS),
    factors: args.factors.split(",").map(Number),
    seeds: Number(args.seeds),
    forwards: Number(args.forwards ?? FORWARDS),
    only: args.only,
  };
  if (args.list) return console.log(await listRuns(ROWS, runs));
  if (!args.table) await makeRuns(ROWS, runs);
  const rows = await readRows<Row>(ROWS);
  const text = await report(rows.filter((row) => row.forwards === FORWARDS));
  await Deno.writeTextFile(REPORT, text);
  if (rows.length > 0) await Deno.writeTextFile(PICTURE, picture(rows));
  console.log(text);
}

if (import.meta.main) await main(Deno.args);
