/**
 * Draws the results of several methods against their costs, as one picture.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { compose, panel } from "./plot.ts";

/** A method with its cost and its results. */
export interface CostedMethod {
  /** Name, which determines its colour. */
  readonly name: string;
  /** Whether its point is hollow, to distinguish two kinds of a method. Default false. */
  readonly hollow?: boolean;
  /** Cost, on the horizontal axis, in the unit named in the title. Positive. */
  readonly cost: number;
  /** Losses by seed, in nats. Values that are not finite are left out. */
  readonly losses: readonly number[];
}

/** Methods on one task. */
export interface CostPanel {
  /** Name in the label of the axis. */
  readonly name: string;
  /** Loss before training, drawn as a dashed line if it is finite. */
  readonly before: number;
  readonly methods: readonly CostedMethod[];
}

const COLOURS = { front: "#b8bcc4", before: "#6c7078" };
/** Colours of methods, in the order of their first occurrence. */
const METHODS = [
  "#4269d0",
  "#efb118",
  "#ff725c",
  "#6cc5b0",
  "#3ca951",
  "#ff8ab7",
  "#a463f2",
  "#97bbf5",
  "#9c6b4e",
];
const WIDTH = 800;
const HEIGHT = 260;

/** The point of a method. */
interface Placed {
  readonly colour: string;
  readonly hollow: boolean;
  readonly cost: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * A standalone SVG with a panel for each task. It shows the mean loss of each method against its cost on a logarithmic axis, with the range over seeds,
 * and a stepped line through the Pareto front: the methods for which no other has both a lower cost and a lower loss.
 *
 * @throws {RangeError} when there is no finite value to draw.
 *
 * @example One task
 * ```ts
 * import { costsSvg } from "./costs_plot.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const methods = [{ name: "qzo", cost: 12, losses: [0.65, 0.66] }, { name: "foAdam", cost: 40, losses: [0.6] }];
 * assertStringIncludes(costsSvg([{ name: "sst2", before: 0.8, methods }], "loss against MiB"), "<svg");
 * ```
 */
export function costsSvg(panels: readonly CostPanel[], title: string): string {
  const names = [...new Set(panels.flatMap(({ methods }) => methods.map(({ name }) => name)))];
  const colourOf = (name: string) => METHODS[names.indexOf(name) % METHODS.length];
  const shown = panels.map(({ name, before, methods }) => ({
    ...{ name, before },
    points: methods.flatMap((method) => placed(method, colourOf(method.name))),
  })).filter(({ points }) => points.length > 0);
  if (shown.length === 0) throw new RangeError(`Cannot draw "${title}": no finite value`);
  const legend: [string, string][] = [
    ...names.map((name): [string, string] => [name, colourOf(name)]),
    ["Pareto front", COLOURS.front],
  ];
  return compose(
    WIDTH,
    title,
    legend,
    shown.map(({ name, before, points }) => {
      const costs = points.map(({ cost }) => cost);
      return panel({
        width: WIDTH,
        height: HEIGHT,
        x: {
          ...{
            type: "log",
            label: null,
            grid: true,
            ticks: 8,
            tickFormat: (it: number) => `${it}`,
          },
          domain: [0.95 * Math.min(...costs), 1.05 * Math.max(...costs)],
        },
        y: { label: `${name}: held-out loss (nats)`, grid: true, nice: true },
        marks: marksOf(points, before),
      });
    }),
  );
}

function placed({ cost, losses, hollow = false }: CostedMethod, colour: string): Placed[] {
  const finite = losses.filter(Number.isFinite);
  if (finite.length === 0 || !(cost > 0)) return [];
  const mean = finite.reduce((a, b) => a + b, 0) / finite.length;
  return [{ colour, hollow, cost, mean, low: Math.min(...finite), high: Math.max(...finite) }];
}

/** The points of the Pareto front, cheapest first. */
function front(points: readonly Placed[]): Placed[] {
  let least = Infinity;
  return points.toSorted((a, b) => a.cost - b.cost || a.mean - b.mean).filter(({ mean }) => {
    if (mean >= least) return false;
    least = mean;
    return true;
  });
}

function marksOf(points: readonly Placed[], before: number): Plot.Markish[] {
  return [
    ...Number.isFinite(before)
      ? [Plot.ruleY([before], { stroke: COLOURS.before, strokeDasharray: "4 3" })]
      : [],
    Plot.lineY(front(points), { x: "cost", y: "mean", curve: "step-after", stroke: COLOURS.front }),
    Plot.ruleX(points, { x: "cost", y1: "low", y2: "high", stroke: "colour" }),
    Plot.dot(points, {
      ...{ x: "cost", y: "mean", r: 4, stroke: "colour", strokeWidth: 1.5 },
      fill: ({ colour, hollow }: Placed) => hollow ? "white" : colour,
    }),
  ];
}
