/**
 * Draws the change of a value by several methods, before and after, as one picture.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { compose, panel } from "./plot.ts";

/** A method on a model. */
export interface ChangeRow {
  /** Label of its line. */
  readonly name: string;
  /** Value before. */
  readonly before: number;
  /** Values after, by seed. Those that are not finite are left out. */
  readonly after: readonly number[];
}

/** Methods that are measured in the same way. */
export interface ChangePanel {
  /** Name in the label of the axis. */
  readonly name: string;
  /** Rows from top to bottom. */
  readonly rows: readonly ChangeRow[];
}

const COLOURS = { before: "#6c7078", after: "#4269d0", mean: "#e4572e" };
const WIDTH = 800;
const ROW_HEIGHT = 18;

/**
 * A standalone SVG that shows, for each row, the value before, the value after for each seed, and a line from the value before to the mean.
 *
 * @throws {RangeError} when there is no finite value to draw.
 *
 * @example One task
 * ```ts
 * import { changesSvg } from "./changes_plot.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const rows = [{ name: "qzo", before: 0.8, after: [0.65, 0.64, 0.66] }];
 * assertStringIncludes(changesSvg([{ name: "sst2", rows }], "before and after"), "<svg");
 * ```
 */
export function changesSvg(panels: readonly ChangePanel[], title: string): string {
  const shown = panels.map(({ name, rows }) => ({
    name,
    rows: rows.map((row) => ({ ...row, after: row.after.filter(Number.isFinite) }))
      .filter(({ before, after }) => Number.isFinite(before) && after.length > 0),
  })).filter(({ rows }) => rows.length > 0);
  if (shown.length === 0) throw new RangeError(`Cannot draw "${title}": no finite value`);
  const legend: [string, string][] = [
    ["before", COLOURS.before],
    ["after, by seed", COLOURS.after],
    ["mean", COLOURS.mean],
  ];
  return compose(
    WIDTH,
    title,
    legend,
    shown.map(({ name, rows }) =>
      panel({
        width: WIDTH,
        height: 70 + ROW_HEIGHT * rows.length,
        marginLeft: 210,
        x: { label: `${name}: held-out loss (nats)`, grid: true, nice: true },
        y: { label: null, domain: rows.map((row) => row.name), type: "band" },
        marks: marksOf(rows),
      })
    ),
  );
}

function marksOf(rows: readonly ChangeRow[]): Plot.Markish[] {
  const middle = rows.map(({ name, before, after }) => ({
    name,
    before,
    mean: after.reduce((a, b) => a + b, 0) / after.length,
  }));
  const ends = rows.flatMap(({ name, after }) => after.map((value) => ({ name, value })));
  return [
    Plot.ruleY(middle, {
      x1: "before",
      x2: "mean",
      y: "name",
      stroke: COLOURS.before,
      strokeOpacity: 0.5,
    }),
    Plot.tickX(middle, { x: "before", y: "name", stroke: COLOURS.before, strokeWidth: 2 }),
    Plot.dot(ends, { x: "value", y: "name", r: 2.5, fill: COLOURS.after, fillOpacity: 0.7 }),
    Plot.tickX(middle, { x: "mean", y: "name", stroke: COLOURS.mean, strokeWidth: 2 }),
  ];
}
