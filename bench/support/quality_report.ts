/**
 * The results of `deno task bench quality`: the tables, and statements that must hold for them.
 *
 * @module
 */
import { formatByName } from "../../quant/mod.ts";
import { gridNamed } from "../../quant/layouts/grids.ts";
import { perplexity } from "../../tasks/mod.ts";
import { type Row, rowName } from "./quality_rows.ts";

/** A measured row. Losses are in nats per token, over windows of held-out text. */
export interface Result extends Row {
  /** Bits per weight of the quantised matrices, including scales and codebooks. */
  readonly bits: number;
  /** Loss before quantisation; `after` is that of the quantised model. */
  readonly before: number;
  readonly after: number;
  /** Standard error of `after - before` over windows. */
  readonly error: number;
  readonly heldOut: number;
  /** Processor time in seconds, without the evaluation. */
  readonly seconds: number;
  readonly adapter: string;
  readonly date: string;
}

/** A row after QZO with one seed. */
export interface Tuned extends Row {
  readonly seed: number;
  readonly learningRate: number;
  readonly forwards: number;
  readonly batchSize: number;
  /** Loss after tuning, in nats per token. */
  readonly after: number;
  /** Standard error of the change by tuning, over windows. */
  readonly error: number;
  readonly seconds: number;
  readonly adapter: string;
  readonly date: string;
}

/** Two rows of which the first should have the lower loss. */
interface Pair {
  readonly lower: Result;
  readonly higher: Result;
}

/** A statement about pairs, and whether the results confirm it. */
export interface Finding {
  readonly statement: string;
  readonly pairs: number;
  /** Number of pairs for which it holds. */
  readonly held: number;
  /** Pairs for which it does not hold, by at most two standard errors. */
  readonly ties: readonly string[];
  /** Pairs for which it does not hold, by more than that. */
  readonly violations: readonly string[];
}

/** Bits per weight from which a model does not count as 2-bit, because the format that replaces Q2_K for other row widths takes more bits. */
const MOST_BITS_OF_TWO = 3;
/** Maximum ratio of the bits of two formats that count as comparable. */
const COMPARABLE = 1.1;

/** Checks the statements that must hold for the results. */
export function findings(results: readonly Result[]): Finding[] {
  const at = ({ model, format }: Row, method: string) =>
    results.find((r) => r.model === model && r.format === format && r.method === method);
  const rtn = results.filter(({ method }) => method === "rtn");
  const twoBits = rtn.filter(({ format, bits }) => {
    const { layout } = formatByName(format);
    // Grids are codebooks too.
    const integers = layout.kind === "scalar" ||
      layout.kind === "super" && !gridNamed(layout.scales);
    return integers && layout.bits === 2 && bits < MOST_BITS_OF_TWO;
  });
  const against = (method: string): Pair[] =>
    rtn.flatMap((higher) => {
      const lower = at(higher, method);
      return lower ? [{ lower, higher }] : [];
    });
  const codebooks = twoBits.flatMap((higher) => {
    const lower = results.find(({ model, format, method }) =>
      model === higher.model && format === "codebook2x8" && method === "codebook"
    );
    return lower ? [{ lower, higher }] : [];
  });
  return [
    finding("GPTQ below round-to-nearest", against("gptq")),
    finding("a fitted codebook below the same format rounded", against("codebook")),
    finding(
      "a fitted codebook of two bits (codebook2x8) below round-to-nearest at two bits, whatever its books take",
      codebooks,
    ),
    finding(
      `the same where with its books it takes at most ${COMPARABLE} times the bits`,
      codebooks.filter(({ lower, higher }) => lower.bits <= COMPARABLE * higher.bits),
    ),
  ];
}

function finding(statement: string, pairs: readonly Pair[]): Finding {
  const ties: string[] = [];
  const violations: string[] = [];
  for (const { lower, higher } of pairs) {
    const difference = lower.after - higher.after;
    if (difference <= 0) continue;
    const text = `${rowName(lower)} ${
      difference.toPrecision(2)
    } above ${higher.format} ${higher.method}`;
    (difference > 2 * Math.hypot(lower.error, higher.error) ? violations : ties).push(text);
  }
  const held = pairs.length - ties.length - violations.length;
  return { statement, pairs: pairs.length, held, ties, violations };
}

/** Findings as a Markdown list. */
export function findingLines(all: readonly Finding[]): string {
  return all.map(({ statement, pairs, held, ties, violations }) => {
    const more = [
      ...ties.length > 0 ? [`within two standard errors: ${ties.join("; ")}`] : [],
      ...violations.length > 0 ? [`VIOLATED: ${violations.join("; ")}`] : [],
    ];
    return `- ${[`${statement}: in ${held} of ${pairs} pairs`, ...more].join("; ")}.`;
  }).join("\n");
}

function tunedCell(r: Result, tuned: readonly Tuned[]): string {
  const after = tuned.filter((t) => rowName(t) === rowName(r)).map((t) => perplexity(t.after));
  if (after.length === 0) return "";
  const mean = after.reduce((a, b) => a + b, 0) / after.length;
  const range = `${Math.min(...after).toFixed(2)}-${Math.max(...after).toFixed(2)}`;
  return `${mean.toFixed(2)} (${range}${after.length < 3 ? `, ${after.length} seeds` : ""})`;
}

function modelTable(model: string, results: readonly Result[], tuned: readonly Tuned[]): string {
  const rows = results.filter((r) => r.model === model).sort((a, b) =>
    a.bits - b.bits || a.format.localeCompare(b.format) || a.after - b.after
  );
  const [first] = rows;
  return [
    `## ${model}: ${perplexity(first.before).toFixed(2)} unquantised, ${first.heldOut} windows`,
    "",
    "| format | method | bits per weight | perplexity | loss added | after QZO, mean (range) | CPU s |",
    "|---|---|---|---|---|---|---|",
    ...rows.map((r) =>
      `| ${r.format} | ${r.method} | ${r.bits.toFixed(2)} | ${perplexity(r.after).toFixed(2)} | ${
        (r.after - r.before).toFixed(4)
      } ± ${r.error.toFixed(4)} | ${tunedCell(r, tuned)} | ${r.seconds.toFixed(0)} |`
    ),
  ].join("\n");
}

/** A table for each model, with rows sorted by bits. */
export function tables(results: readonly Result[], tuned: readonly Tuned[]): string {
  const models = [...new Set(results.map(({ model }) => model))];
  return models.map((model) => modelTable(model, results, tuned)).join("\n\n");
}
