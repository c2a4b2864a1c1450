/**
 * Counts over all cases of the schemes' table: which optimiser ends lowest with which scheme, and how far apart optimisers end.
 *
 * @module
 */

import type { OptimiserName } from "../../optim/mod.ts";
import { schemeNames } from "../../train/config/scheme_schema.ts";
import type { SchemeName } from "../../train/mod.ts";
import { CASES } from "./learning_cases.ts";
import { chosen, lossAfter, mean, type Row } from "./learning_run.ts";
import { median } from "./timing.ts";

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
  /** The optimisers whose chosen rate is the default one. */
  readonly usual: readonly OptimiserName[];
  /** The optimisers whose chosen rate is the highest that was tried, so that a higher one might be better. */
  readonly highest: readonly OptimiserName[];
}

/** The cells in which every compared optimiser has all seeds. */
function cellsOf(rows: readonly Row[]): Cell[] {
  const made = rows.filter(({ none }) => none === undefined);
  const groups = Map.groupBy(made, (row) => `${row.case}|${row.forwards}|${row.scheme}`);
  return [...groups.values()].flatMap((some): Cell[] => {
    const found = COMPARED.map((name) => {
      const own = some.filter(({ optimiser }) => optimiser === name);
      return { name, rows: chosen(own), highest: Math.max(...own.map(({ factor }) => factor)) };
    });
    if (found.some(({ rows }) => rows.length < SEEDS)) return [];
    return [{
      of: some[0].case,
      scheme: some[0].scheme,
      before: mean(found[0].rows.flatMap((row) => row.before?.loss ?? [])),
      // A run that diverged is above all others.
      losses: Object.fromEntries(found.map(({ name, rows }) => {
        const loss = mean(rows.map(lossAfter));
        return [name, Number.isFinite(loss) ? loss : Infinity];
      })),
      usual: found.filter(({ rows }) => rows[0].factor === 1).map(({ name }) => name),
      highest: found.filter(({ rows, highest }) => rows[0].factor === highest)
        .map(({ name }) => name),
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

/** The difference between the highest and the lowest loss of a cell. */
function apart({ losses }: Cell): number {
  const values = Object.values(losses);
  return Math.max(...values) - Math.min(...values);
}

/** Statements about a cell, each of which is counted by scheme. */
function statements(cells: readonly Cell[]): [string, (cell: Cell) => boolean][] {
  const inCase = Map.groupBy(cells, ({ of }) => of);
  const beside = ({ of }: Cell) => inCase.get(of) ?? [];
  const plus = ({ losses }: Cell) => losses.qzoPlus;
  const least = (cell: Cell) => cell.losses[lowest(cell, COMPARED)];
  const scales = (cell: Cell) => beside(cell).find(({ scheme }) => scheme === "full") ?? cell;
  const isHighest = (cell: Cell) => beside(cell).every((one) => plus(one) <= plus(cell));
  const isText = ({ of }: Cell) => CASES[of].objective === "language-modelling";
  const each = (
    among: readonly OptimiserName[],
    text: string,
    holds: (cell: Cell, name: OptimiserName) => boolean,
  ) =>
    among.map((name): [string, (cell: Cell) => boolean] => [
      `\`${name}\` ${text}`,
      (cell) => holds(cell, name),
    ]);
  return [
    ["cells", () => true],
    ["of language modelling", isText],
    ...each(COMPARED, "lowest of the five", (cell, name) => lowest(cell, COMPARED) === name),
    ["`qzoPlus` within 0.02 nats of the lowest", (cell) => plus(cell) - least(cell) < 0.02],
    ...each(
      PUBLISHED,
      "lowest of the published three",
      (cell, name) => lowest(cell, PUBLISHED) === name,
    ),
    ...each(
      PUBLISHED,
      "highest of the published three",
      (cell, name) => highest(cell, PUBLISHED) === name,
    ),
    [
      "by `qzoPlus`, lowest of the schemes or within 0.05 nats of it",
      (cell) => beside(cell).every((one) => plus(cell) - plus(one) <= 0.05),
    ],
    [
      "by `qzoPlus`, highest of the schemes in classification",
      (cell) => isHighest(cell) && !isText(cell),
    ],
    [
      "by `qzoPlus`, highest of the schemes in language modelling",
      (cell) => isHighest(cell) && isText(cell),
    ],
    ["the five closer together than on scales", (cell) => apart(cell) < apart(scales(cell))],
    ["lowest loss above that of scales", (cell) => least(cell) > least(scales(cell))],
    ["`qzoPlus` best at its default rate", ({ usual }) => usual.includes("qzoPlus")],
    ...each(
      COMPARED,
      "best at the highest rate tried",
      ({ highest }, name) => highest.includes(name),
    ),
  ];
}

/** How many cells each statement is true of, by scheme, and how far apart the optimisers of a cell end. */
function byScheme(cells: readonly Cell[], schemes: readonly SchemeName[]): string[] {
  const columns = [...schemes.map((one) => cells.filter(({ scheme }) => scheme === one)), cells];
  const row = (what: string, value: (some: readonly Cell[]) => string | number) =>
    `| ${what} | ${columns.map(value).join(" | ")} |`;
  return [
    `| number of cells | ${schemes.join(" | ")} | all |`,
    `|---|${schemes.map(() => "---|").join("")}---|`,
    ...statements(cells).map(([text, holds]) => row(text, (some) => some.filter(holds).length)),
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
    }, with the loss of \`qzoPlus\` in brackets where that is another; then of how many cells each statement is true.`,
    "",
    ...byCase(cells, schemes),
    "",
    ...byScheme(cells, schemes),
    "",
  ];
}
