/**
 * Counts over all cases of the schemes' table: which optimiser ends lowest with which scheme, and how far apart optimisers end.
 *
 * @module
 */

import type { OptimiserName } from "../../optim/mod.ts";
import { schemeNames } from "../../train/config/scheme_schema.ts";
import type { SchemeName } from "../../train/mod.ts";
import { best, mean, type Row } from "./learning_run.ts";

/** The optimisers of ZO-Bench (arXiv 2402.11592) that are compared. */
const PUBLISHED: readonly OptimiserName[] = ["zoAdam", "zoSgd", "zoSgdSign"];

/** The optimisers that a cell must have to be counted. */
const COMPARED: readonly OptimiserName[] = ["qzoPlus", "qzoNormalised", ...PUBLISHED];

/** Number of seeds that a cell must have with each of them. */
const SEEDS = 3;

/** A scheme in a case, with the mean loss after training with each optimiser at its chosen rate. */
interface Cell {
  readonly of: string;
  readonly scheme: SchemeName;
  readonly before: number;
  readonly losses: Readonly<Record<string, number>>;
}

/** The cells in which every compared optimiser has all seeds. */
function cellsOf(rows: readonly Row[]): Cell[] {
  const made = rows.filter(({ none }) => none === undefined);
  const groups = Map.groupBy(made, (row) => `${row.case}|${row.forwards}|${row.scheme}`);
  return [...groups.values()].flatMap((some): Cell[] => {
    const chosen = COMPARED.map((optimiser) => {
      const own = some.filter((row) => row.optimiser === optimiser);
      return best(own) ?? own.filter(({ factor }) => factor === 1);
    });
    if (chosen.some(({ length }) => length < SEEDS)) return [];
    const losses = chosen.map((one) => mean(one.map(({ after }) => after!.loss)));
    return [{
      of: some[0].case,
      scheme: some[0].scheme,
      before: mean(chosen[0].flatMap((row) => row.before?.loss ?? [])),
      // A run that diverged is above all others.
      losses: Object.fromEntries(
        COMPARED.map((name, i) => [name, Number.isFinite(losses[i]) ? losses[i] : Infinity]),
      ),
    }];
  });
}

const lowest = ({ losses }: Cell, among: readonly OptimiserName[]): OptimiserName =>
  among.reduce((one, other) => losses[other] < losses[one] ? other : one);

const highest = ({ losses }: Cell, among: readonly OptimiserName[]): OptimiserName =>
  among.reduce((one, other) => losses[other] > losses[one] ? other : one);

/** The lowest loss of each scheme in each case, and who reached it. */
function byCase(cells: readonly Cell[], schemes: readonly SchemeName[]): string[] {
  const lines = [...Map.groupBy(cells, ({ of }) => of)].map(([name, some]) => {
    const columns = schemes.map((scheme) => {
      const cell = some.find((one) => one.scheme === scheme);
      if (!cell) return "";
      const first = lowest(cell, COMPARED);
      const ours = first === "qzoPlus" ? "" : ` (${cell.losses.qzoPlus.toFixed(3)})`;
      return `${cell.losses[first].toFixed(3)} \`${first}\`${ours}`;
    });
    return `| ${name} | ${some[0].before.toFixed(3)} | ${columns.join(" | ")} |`;
  });
  return [
    `| case | before | ${schemes.join(" | ")} |`,
    `|---|---|${schemes.map(() => "---|").join("")}`,
    ...lines,
  ];
}

/** How often each optimiser ends lowest, by scheme, and how far the best and the worst of a cell are apart. */
function byOptimiser(cells: readonly Cell[], schemes: readonly SchemeName[]): string[] {
  const of = (scheme: SchemeName) => cells.filter((cell) => cell.scheme === scheme);
  const row = (what: string, value: (some: readonly Cell[]) => string | number) =>
    `| ${what} | ${[...schemes.map(of), cells].map(value).join(" | ")} |`;
  const count = (
    optimiser: OptimiserName,
    which: typeof lowest,
    among: readonly OptimiserName[],
  ) =>
  (some: readonly Cell[]) => some.filter((cell) => which(cell, among) === optimiser).length;
  const apart = (cell: Cell) => {
    const losses = COMPARED.map((name) => cell.losses[name]);
    return Math.max(...losses) - Math.min(...losses);
  };
  const median = (values: readonly number[]) => {
    const sorted = values.toSorted((one, other) => one - other);
    return sorted[Math.floor(sorted.length / 2)];
  };
  return [
    `| | ${schemes.join(" | ")} | all |`,
    `|---|${schemes.map(() => "---|").join("")}---|`,
    row("cells", (some) => some.length),
    ...COMPARED.map((name) => row(`\`${name}\` lowest of the five`, count(name, lowest, COMPARED))),
    ...PUBLISHED.map((name) =>
      row(`\`${name}\` lowest of the published three`, count(name, lowest, PUBLISHED))
    ),
    ...PUBLISHED.map((name) =>
      row(`\`${name}\` highest of the published three`, count(name, highest, PUBLISHED))
    ),
    row(
      "nats from the lowest to the highest of the five, median",
      (some) => median(some.map(apart)).toFixed(3),
    ),
  ];
}

/** The tables, in Markdown; nothing if no cell is complete. */
export function countsOf(rows: readonly Row[]): string[] {
  const cells = cellsOf(rows);
  if (cells.length === 0) return [];
  const schemes = schemeNames.filter((one) => cells.some(({ scheme }) => scheme === one));
  return [
    "## All cases",
    "",
    `Mean held-out loss of ${SEEDS} seeds, each optimiser at its chosen rate. First the lowest of ${
      COMPARED.map((name) => `\`${name}\``).join(", ")
    }, with the loss of \`qzoPlus\` in brackets where that is another; then how often each is the lowest.`,
    "",
    ...byCase(cells, schemes),
    "",
    ...byOptimiser(cells, schemes),
    "",
  ];
}
