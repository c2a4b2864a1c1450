/**
 * `qzo bench-optimisers`: compares optimisers at equal numbers of forward passes.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { writeFileWhole } from "../../models/checkpoints/disk/files.ts";
import { readFileText } from "../../models/checkpoints/disk/read_file.ts";
import {
  type BenchmarkResult,
  benchmarkTable,
  parseBenchmark,
  runBenchmark,
} from "../../train/mod.ts";
import { finalLoss } from "../../train/comparison/benchmark.ts";
import { benchmarkRows } from "../../train/comparison/benchmark_table.ts";
import { checkFiles } from "../../train/runs/outputs.ts";
import { forceOption } from "../tuned.ts";
import type { Command } from "../command.ts";
import { comparisonSvg } from "../../show/comparison_plot.ts";
import { invocation, quoted } from "../invocation.ts";
import { lossText } from "../report.ts";
import { progressLine } from "../../show/terminal.ts";

/** `qzo bench-optimisers`. */
export const benchOptimisersCommand: Command = {
  name: "bench-optimisers",
  summary: "compare optimisers on models and tasks, using equal numbers of forward passes",
  positional: "config",
  finishes: true,
  first: ["config", "table"],
  examples: [
    "bench-optimisers --config examples/optimisers.yaml",
    "bench-optimisers --config examples/optimisers.yaml --table",
  ],
  options: {
    ...forceOption,
    config: { kind: "text", path: true, doc: "YAML file listing the cases and optimisers" },
    table: { kind: "flag", doc: "print the table of finished runs without running anything" },
  },
  keys: [],
  run: async ({ options, terminal, signal }) => {
    const path = options.required("config", "--config examples/optimisers.yaml");
    const benchmark = parseBenchmark(await readFileText(path, "configuration"), path, {
      folder: dirname(path),
    });
    if (!options.flag("table")) {
      const names = ["table.md", ...benchmark.cases.map(curveName)];
      // A resumed comparison overwrites its table and its curves.
      const force = options.flag("force") || await holdsRuns(benchmark.output);
      const paths = names.map((name) => join(benchmark.output, name));
      await checkFiles(paths, { inputs: [path], force });
    }
    if (!options.flag("table")) {
      const total = benchmark.cases.length * benchmark.optimisers.reduce(
        (sum, it) => sum + Math.max(1, benchmark.learningRates(it).length) + benchmark.seeds,
        0,
      );
      const line = progressLine(terminal);
      let done = 0;
      let first = 1;
      try {
        for await (const event of runBenchmark(benchmark, { signal })) {
          if (event.type === "step") {
            if (event.pace.seconds === 0) first = event.step;
            line.show({
              step: event.step,
              total: event.job.config.steps,
              run: `run ${done + 1} of ${total}: ${event.job.optimiser}`,
              seconds: event.pace.seconds,
              countedFrom: first,
              loss: event.loss,
              tokensPerSecond: event.pace.tokensPerSecond,
            });
          } else {
            done++;
            if (!event.known) line.log(`${done}/${total}  ${resultLine(event.result)}`);
          }
        }
      } finally {
        line[Symbol.dispose]();
        if (signal.aborted) {
          terminal.note(`To resume: ${invocation()} bench-optimisers --config ${quoted(path)}`);
        }
      }
    }
    const rows = await benchmarkRows(benchmark);
    if (rows.length === 0) {
      terminal.note(`no run of "${benchmark.output}" is done yet: there is no table`);
      return;
    }
    const table = benchmarkTable(rows);
    terminal.out(table);
    if (options.flag("table")) return;
    const write = async (name: string, text: string) =>
      await writeFileWhole(join(benchmark.output, name), [new TextEncoder().encode(text)]);
    await write("table.md", `${table}\n`);
    for (const name of new Set(rows.map((row) => row.case))) {
      const curves = rows.filter((row) => row.case === name)
        .map(({ optimiser, curve }) => ({ name: optimiser, points: curve }));
      await write(curveName(name), comparisonSvg(curves, name));
    }
  },
};

function curveName(name: string): string {
  return `${name.replaceAll(" ", "-")}.svg`;
}

/** Whether a folder holds a comparison: its runs are in folders of their own. */
async function holdsRuns(folder: string): Promise<boolean> {
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  return entries.some(({ isDirectory }) => isDirectory);
}

function resultLine(result: BenchmarkResult): string {
  const { job: { case: name, optimiser, learningRate, seed }, points, diverged, minutes } = result;
  const rate = learningRate === undefined
    ? "its own learning rate"
    : `learning rate ${learningRate}`;
  const from = lossText(points[0]?.loss ?? NaN);
  const outcome = diverged ? "diverged" : `${from} to ${lossText(finalLoss(result))}`;
  return `${name}: ${optimiser}, ${rate}, seed ${seed}: ${outcome}, ${minutes.toFixed(1)} min`;
}
