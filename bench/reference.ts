/**
 * Compares QZO and MeZO with an implementation that shares no code with this library: loss curves of several seeds on the same model, windows and
 * batches, with the same noise and with its own. Finished runs are kept in a file and not repeated.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import * as Plot from "@observablehq/plot";
import { compose, panel } from "../show/plot.ts";
import {
  finetune,
  type Gpu,
  linear,
  loadModel,
  mezo,
  openGpu,
  openModelSource,
  planOffsets,
  quantizedSource,
  qzo,
  qzoNormalised,
} from "../mod.ts";
import type { Selection } from "../train/selection.ts";
import type { Optimiser, Schedule } from "../optim/mod.ts";
import { DATA } from "./finetune.ts";
import { main as exportCase, windowsOfCase } from "./reference/export_case.ts";
import { agreement, type Curves, spread } from "./reference/agreement.ts";
import { runTorch, torchMissing } from "./reference/torch.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));

const HELP = `Loss curves of this library beside those of PyTorch, on stories at 4 bits.

Usage: deno task bench reference [options]

  --seeds N     seeds 0 to N-1 (default 8)
  --library N   of which the library runs the first N (default 5)
  --steps N     steps of a run (default 60; others are kept beside)
  --only TEXT   recipes whose name contains TEXT
  --table       the table of what is done, run nothing

Runs are by the library; by PyTorch with the library's noise (given), whose curves must be the library's; by PyTorch with its own noise
(torch); and by that at half of the learning rate (control), which a test must be able to tell apart.
Exits with 1 where a curve is not the library's, or PyTorch's own curves are told apart from those with the library's noise.

Example: deno task bench reference --only mezo --seeds 5 --library 2`;

/** Examples per step. */
const BATCH = 8;
const FORMAT = "int4_g32";

/** One rule in both implementations. */
interface Recipe {
  readonly name: string;
  readonly what: string;
  readonly peak: number;
  readonly make: (learningRate: Schedule) => Optimiser;
  readonly arguments: readonly string[];
  /** Whether all weights of the unquantised matrices are trained, instead of the scales. */
  readonly dense: boolean;
}

const RECIPES: readonly Recipe[] = [
  {
    name: "qzoNormalised",
    what: "relative scales, derivative divided by its running RMS",
    peak: 8e-3,
    make: (learningRate) => qzoNormalised({ learningRate }),
    arguments: ["--normalised"],
    dense: false,
  },
  {
    name: "mezo",
    what: "every weight of the matrices, not quantised",
    peak: 5e-3,
    make: (learningRate) => mezo({ learningRate }),
    arguments: ["--method", "mezo", "--base", "original"],
    dense: true,
  },
  {
    name: "qzo",
    what: "the paper's: absolute scales, derivative clipped at 100",
    peak: 1e-3,
    make: (learningRate) => qzo({ learningRate }),
    arguments: [],
    dense: false,
  },
];

type Who = "library" | "given" | "torch" | "control";

/** A run, as stored. */
interface Run {
  readonly recipe: string;
  readonly who: Who;
  readonly seed: number;
  readonly steps: number;
  /** Pairs of number of steps and held-out loss. */
  readonly curve: readonly (readonly [number, number])[];
  readonly derivativeRms: number;
  readonly date: string;
}

async function readRuns(): Promise<Run[]> {
  const text = await Deno.readTextFile(results("reference.jsonl")).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Run);
}

async function runLibrary(
  gpu: Gpu,
  { make, peak, dense }: Recipe,
  steps: number,
  seed: number,
): Promise<Pick<Run, "curve" | "derivativeRms">> {
  using stored = await openModelSource(`${DATA}models/tinystories-656k`);
  using model = await loadModel(
    gpu,
    dense ? stored : quantizedSource(stored, { format: FORMAT }),
  );
  const { train, heldOut: validation } = await windowsOfCase("stories", model.tokenizer!);
  const optimiser = make(linear(peak, { total: steps, warmup: Math.min(10, steps) }));
  const selection: Selection = { kinds: [dense ? "dense" : "scales"] };
  using offsets = planOffsets(model, optimiser, gpu.maxBinding, selection).allocate(gpu);
  const curve: [number, number][] = [];
  let squares = 0;
  for await (
    const event of finetune({
      ...{ model, optimiser, offsets, train, validation, steps, seed },
      ...{ objective: "language-modelling", batchSize: BATCH, evaluateEvery: everyOf(steps) },
    })
  ) {
    if (event.type === "evaluation") curve.push([event.step, event.evaluation.loss]);
    if (event.type === "step") squares += event.derivatives[0] ** 2;
  }
  return { curve, derivativeRms: Math.sqrt(squares / steps) };
}

/** Number of steps between held-out evaluations. */
function everyOf(steps: number): number {
  return Math.max(1, Math.ceil(steps / 3));
}

async function runReference(
  folder: string,
  { arguments: own, peak }: Recipe,
  who: Who,
  steps: number,
  seed: number,
): Promise<Pick<Run, "curve" | "derivativeRms">> {
  const options = { lr: who === "control" ? peak / 2 : peak, steps, every: everyOf(steps), seed };
  const { curve, derivativeRms } = await runTorch(folder, [
    ...own,
    ...who === "given" ? ["--given-noise"] : [],
    ...Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]),
  ]);
  return { curve, derivativeRms };
}

/** The runs of one recipe and length, by implementation. */
function grouped(runs: readonly Run[], name: string, steps: number) {
  const of = (who: Who) =>
    runs.filter((r) => r.recipe === name && r.who === who && r.steps === steps)
      .sort((a, b) => a.seed - b.seed);
  return {
    ...{ library: of("library"), given: of("given") },
    ...{ torch: of("torch"), control: of("control") },
  };
}

const curvesOf = (runs: readonly Run[]): Curves =>
  runs.map(({ curve }) => curve.slice(1).map(([, loss]) => loss));

/** P-value below which two groups count as different methods. */
const LEVEL = 0.05;

/** Tolerance for the losses of one run in two implementations, whose f32 sums differ in order over several steps. */
const SAME = 1e-3;

/** Lines of the table, and recipes in which the two implementations differ. */
function table(runs: readonly Run[], steps: number): { text: string; apart: string[] } {
  const apart: string[] = [];
  const show = (group: readonly Run[]) =>
    spread(curvesOf(group)).map(({ mean, deviation }) =>
      `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`
    ).join(", ");
  const rms = (group: readonly Run[]) =>
    spread(group.map((run) => [run.derivativeRms])).map(({ mean, deviation }) =>
      `${mean.toPrecision(3)} ± ${deviation.toPrecision(2)}`
    )[0];
  const lines = RECIPES.flatMap(({ name }) => {
    const groups = grouped(runs, name, steps);
    const { library, given, torch } = groups;
    const far = Math.max(
      ...library.flatMap(({ seed, curve }) =>
        given.filter((run) => run.seed === seed).flatMap((run) =>
          run.curve.map(([, loss], i) => Math.abs(loss - curve[i][1]))
        )
      ),
    );
    if (far > SAME) apart.push(`${name} with the same noise`);
    return (["library", "given", "torch", "control"] as const).flatMap((who) => {
      const group = groups[who];
      if (group.length < 2) return [];
      const test = (who === "given" || who === "control") && torch.length >= 2
        ? agreement(curvesOf(group), curvesOf(torch))
        : undefined;
      if (who === "given" && test && test.p <= LEVEL) apart.push(`${name} with other noise`);
      const cells = [
        ...[name, who, group.length, group[0].curve[0][1].toFixed(4), show(group), rms(group)],
        who === "given" && far >= 0 ? far.toExponential(0) : "",
        ...test
          ? [test.distance.toFixed(2), test.outside.join(" of "), test.p.toFixed(3)]
          : ["", "", ""],
      ];
      return [`| ${cells.join(" | ")} |`];
    });
  });
  const at = grouped(runs, RECIPES[0].name, steps).torch[0]?.curve.slice(1).map(([s]) => s) ?? [];
  const text = [
    `| recipe | run by | seeds | loss before | after ${
      at.join(", ")
    } steps | RMS of the derivative | farthest from the library | distance | outside | p |`,
    "|---|---|---|---|---|---|---|---|---|---|",
    ...lines,
  ].join("\n");
  return { text, apart };
}

const COLOURS: Readonly<Record<Who, string>> = {
  library: "#4269d0",
  given: "#2f8f5b",
  torch: "#e4572e",
  control: "#9c9c9c",
};

const LEGEND: Readonly<Record<Who, string>> = {
  library: "library",
  given: "torch, library's noise",
  torch: "torch, own noise",
  control: "that at half of the rate",
};

/** A picture of all curves of a length, one panel per recipe: runs as thin lines, one standard deviation around the mean as a band. */
function picture(runs: readonly Run[], steps: number): string | undefined {
  const width = 800;
  const panels = RECIPES.flatMap(({ name }) => {
    const groups = Object.entries(grouped(runs, name, steps)) as [Who, Run[]][];
    const shown = groups.filter(([, group]) => group.length >= 2);
    if (shown.length < 2) return [];
    const marks = shown.flatMap(([who, group]) => {
      const at = group[0].curve.map(([step]) => step);
      const band = spread(group.map(({ curve }) => curve.map(([, loss]) => loss)))
        .map(({ mean, deviation }, i) => ({
          step: at[i],
          low: mean - deviation,
          high: mean + deviation,
        }));
      const lines = group.map(({ curve }) =>
        Plot.lineY(curve.map(([step, loss]) => ({ step, loss })), {
          ...{ x: "step", y: "loss", stroke: COLOURS[who], strokeWidth: 1 },
        })
      );
      const area = { x: "step", y1: "low", y2: "high", fill: COLOURS[who], fillOpacity: 0.2 };
      return [Plot.areaY(band, area), ...lines];
    });
    return [panel({
      width,
      height: 260,
      x: { label: "steps" },
      y: { label: `${name}: held-out loss (nats)`, grid: true, nice: true, zero: false },
      marks,
    })];
  });
  if (panels.length === 0) return undefined;
  const legend = (Object.entries(COLOURS) as [Who, string][]).map(([who, colour]) =>
    [LEGEND[who], colour] as const
  );
  return compose(width, "Stories at 4 bits, several seeds", legend, panels);
}

/** Makes the runs that are not done yet, then prints the table and writes the picture. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["seeds", "library", "steps", "only"],
    boolean: ["table", "help"],
    default: { seeds: "8", library: "5", steps: "60" },
  });
  if (args.help) return console.log(HELP);
  const steps = Number(args.steps);
  const seeds = Array.from({ length: Number(args.seeds) }, (_, seed) => seed);
  if (!args.table) await run(seeds, Number(args.library), steps, args.only ?? "");
  const runs = await readRuns();
  const { text, apart } = table(runs, steps);
  console.log(`\n${text}`);
  const svg = picture(runs, steps);
  if (svg) await Deno.writeTextFile(results("reference.svg"), svg);
  if (apart.length === 0) return;
  console.log(`\nTold apart: ${apart.join(", ")}`);
  Deno.exitCode = 1;
}

async function run(
  seeds: readonly number[],
  library: number,
  steps: number,
  only: string,
): Promise<void> {
  if (!await Deno.stat(DATA).then(() => true, () => false)) {
    return console.log(`Skipped, because the real models and data are not in ${DATA}`);
  }
  const missing = await torchMissing();
  if (missing) return console.log(`Skipped, because ${missing}`);
  using gpu = await openGpu();
  const folder = await Deno.makeTempDir({ prefix: "qzo-reference-" });
  try {
    await exportCase([
      ...[folder, "--noise", "--format", FORMAT],
      ...["--seeds", String(seeds.length), "--steps", String(steps)],
    ]);
    for (const recipe of RECIPES.filter(({ name }) => name.includes(only))) {
      for (const seed of seeds) {
        for (const who of ["given", "torch", "control", "library"] as const) {
          if (who === "library" && seed >= library) continue;
          const { name } = recipe;
          const done = grouped(await readRuns(), name, steps)[who].some((r) => r.seed === seed);
          if (done) continue;
          const begun = performance.now();
          const made = who === "library"
            ? await runLibrary(gpu, recipe, steps, seed)
            : await runReference(folder, recipe, who, steps, seed);
          const date = new Date().toISOString().slice(0, 10);
          const kept: Run = { recipe: name, who, seed, steps, ...made, date };
          const line = `${JSON.stringify(kept)}\n`;
          await Deno.writeTextFile(results("reference.jsonl"), line, { append: true });
          const seconds = ((performance.now() - begun) / 1000).toFixed(0);
          const losses = made.curve.map(([, loss]) => loss.toFixed(4)).join(" ");
          console.log(`${name}, ${who}, seed ${seed}: ${losses} (${seconds} s)`);
        }
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await main(Deno.args);
