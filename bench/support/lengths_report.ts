/**
 * The results of `bench/lengths.ts`, as a page and a picture.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { compose, panel } from "../../show/plot.ts";
import type { MemoryPlan } from "../../train/mod.ts";

/** A step of an optimiser on one sequence. */
export interface LengthsRow {
  readonly model: string;
  /** The optimiser, and what it stores from the forward pass. */
  readonly method: string;
  /** Length of the sequence in tokens. */
  readonly tokens: number;
  /** Planned bytes by purpose. */
  readonly planned: MemoryPlan;
  /** Bytes that were allocated on the device during the steps. Undefined if they were only planned. */
  readonly accounted?: Omit<MemoryPlan, "trainableScalars" | "checkpoints">;
  /** Median processor time of a step in milliseconds. */
  readonly processor?: number;
  /** Median wall time of a step in milliseconds. */
  readonly clock?: number;
  readonly machine?: string;
}

const COLOURS = ["#4269d0", "#3ca7b8", "#2f8f5b", "#efb118", "#e4572e", "#a463f2", "#9c6b4e"];
const PARTS = ["weights", "offsets", "activations", "optimiser", "scratch"] as const;

const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(2);
const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];
const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
const heading = (cells: readonly string[]) => [line(cells), `|${"---|".repeat(cells.length)}`];

/** Bytes per additional token, between the two longest sequences. */
function perToken(rows: readonly LengthsRow[]): number {
  const [before, last] = rows.toSorted((a, b) => a.tokens - b.tokens).slice(-2);
  return (last.planned.total - before.planned.total) / (last.tokens - before.tokens);
}

function plannedTable(rows: readonly LengthsRow[]): string[] {
  const lengths = unique(rows.map(({ tokens }) => tokens));
  return [
    ...heading(["step", ...lengths.map((tokens) => `${tokens} tokens`), "a token, MB"]),
    ...unique(rows.map(({ method }) => method)).map((method) => {
      const own = rows.filter((row) => row.method === method);
      return line([
        method,
        ...own.map(({ planned }) => gigabytes(planned.total)),
        megabytes(perToken(own)),
      ]);
    }),
  ];
}

/** The memory of a model that does not depend on the length, as text. */
function fixed(rows: readonly LengthsRow[]): string {
  const of = (method: string) => rows.find((row) => row.method.startsWith(method))!.planned;
  const [plain, descent, adam] = [of("zoSgd"), of("foSgd"), of("foAdam")];
  return `Whatever the length: weights ${gigabytes(plain.weights)} GB, offsets of ${
    (plain.trainableScalars / 1e6).toFixed(1)
  } M scales ${gigabytes(plain.offsets)} GB, their gradient ${
    gigabytes(descent.optimiser - plain.optimiser)
  } GB, Adam's moments ${gigabytes(adam.optimiser - descent.optimiser)} GB.`;
}

function measuredTable(rows: readonly LengthsRow[]): string[] {
  return [
    ...heading([
      "tokens",
      "step",
      "planned, bytes",
      "accounted, bytes",
      "processor ms",
      "over zoSgd",
      "clock ms",
    ]),
    ...rows.map(({ tokens, method, planned, accounted, processor, clock }) => {
      const plain = rows.find((row) => row.tokens === tokens && row.method === "zoSgd");
      const ratio = plain ? processor! / plain.processor! : NaN;
      return line([
        ...[tokens, method, planned.total, accounted!.total, processor!],
        ...[ratio.toFixed(2), clock!],
      ]);
    }),
  ];
}

/** Whether planned and allocated bytes agree, as text. */
function agreement(rows: readonly LengthsRow[]): string {
  const differ = rows.filter(({ planned, accounted }) =>
    PARTS.some((part) => planned[part] !== accounted![part])
  );
  if (differ.length === 0) {
    return `In all ${rows.length} rows the plan is what was allocated, to the byte, in each of its parts (${
      PARTS.join(", ")
    }).`;
  }
  return `Plan and account differ in ${differ.length} of ${rows.length} rows: ${
    differ.map(({ method, tokens }) => `${method} at ${tokens}`).join("; ")
  }.`;
}

function pictureOf(rows: readonly LengthsRow[]): string {
  const methods = unique(rows.map(({ method }) => method));
  const width = 800;
  const panels = unique(rows.map(({ model }) => model)).map((model) => {
    const own = rows.filter((row) => row.model === model);
    const [unit, scale] = own[0].planned.total > 1e9 ? ["GB", 1e9] : ["MB", 1e6];
    return panel({
      width,
      height: 280,
      x: { label: "tokens", domain: [0, Math.max(...own.map(({ tokens }) => tokens))] },
      y: { label: `${model} (${unit})`, grid: true, nice: true, zero: true },
      marks: [
        ...methods.map((method, i) =>
          Plot.lineY(own.filter((row) => row.method === method), {
            x: "tokens",
            y: (row: LengthsRow) => row.planned.total / scale,
            stroke: COLOURS[i % COLOURS.length],
            strokeWidth: 2,
            // Dashes, because some lines coincide.
            strokeDasharray: i % 2 === 1 ? "6 4" : "none",
          })
        ),
        Plot.dot(own.filter(({ accounted }) => accounted), {
          x: "tokens",
          y: (row: LengthsRow) => row.accounted!.total / scale,
          r: 3,
          fill: (row: LengthsRow) => COLOURS[methods.indexOf(row.method) % COLOURS.length],
        }),
        Plot.ruleY([own[0].planned.weights / scale], {
          stroke: "#6c7078",
          strokeDasharray: "4 3",
        }),
      ],
    });
  });
  const short = (name: string) =>
    name.replace(", each block recomputed", "").replace("four blocks at a time", "by four")
      .replace("everything kept", "all kept");
  return compose(
    width,
    "Memory of a step: lines planned, dots accounted, dashed the weights",
    methods.map((name, i) => [short(name), COLOURS[i % COLOURS.length]]),
    panels,
  );
}

/** The page and the picture. */
export function lengthsReport(
  rows: readonly LengthsRow[],
): { readonly text: string; readonly picture: string } {
  const methods = unique(rows.map(({ method }) => method));
  const measured = rows.filter(({ accounted }) => accounted).toSorted((a, b) =>
    a.tokens - b.tokens || methods.indexOf(a.method) - methods.indexOf(b.method)
  );
  const shapes = unique(rows.filter(({ accounted }) => !accounted).map(({ model }) => model));
  const text = [
    "# Memory and time against length",
    "",
    "`deno task bench lengths` (resumable, [rows](lengths.jsonl)): a step on one sequence, each of whose tokens is predicted, all scales trained. It is the figure of ZO-LLM (arXiv",
    "2402.11592: ZO-SGD, FO-SGD, Forward-Grad), with packed weights. `device.checkpoints` is `block`, 4 or `all`; `hybridZoFo` takes exact gradients in two thirds of the blocks.",
    "",
    "![memory against tokens](lengths.svg)",
    "",
    ...shapes.flatMap((model) => {
      const own = rows.filter((row) => row.model === model);
      return [
        `## ${model}, planned`,
        "",
        "int4_g128, embedding in 16 bits, GB = 1e9 bytes in all. Nothing is loaded: plans are made from the shape.",
        "",
        ...plannedTable(own),
        "",
        fixed(own),
        "",
      ];
    }),
    "`forwardGrad` holds a value and its tangent where `zoSgd` holds two values. Recomputing several blocks at a time takes more than one: what a block leaves is larger than its input. Full",
    "fine-tuning in 16 bits by first order, as in ZO-LLM's figure, has gradients as large as the weights (about 26 GB for OPT-13B) whatever the length; the scales of packed weights have not.",
    "",
    "## A random Llama, planned and measured",
    "",
    "6 M weights, 8 blocks, 256 wide, Q4_0. Accounted is what the device held while steps were made. Times are medians of two or three steps, with one thread (`LP_NUM_THREADS=1`), taken beside other work: look at processor time.",
    "",
    ...measuredTable(measured),
    "",
    agreement(measured),
    "",
    ...unique(measured.map(({ machine }) => machine!)),
    "",
  ].join("\n");
  return { text, picture: pictureOf(rows) };
}
