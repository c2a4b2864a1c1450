/**
 * What several methods reach and what each takes, as one picture.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { compose, panel } from "./plot.ts";

/** A method with what it takes and where it ends. */
export interface CostedMethod {
  /** Beside its point. */
  readonly name: string;
  /** From left to right, in the unit that the title names. Positive. */
  readonly cost: number;
  /** Losses by seed, in nats. Values that are not finite are left out. */
  readonly losses: readonly number[];
}

/** Methods on one task. */
export interface CostPanel {
  /** Above them. */
  readonly name: string;
  /** The loss before training, drawn as a line where it is finite. */
  readonly before: number;
  readonly methods: readonly CostedMethod[];
}

const COLOURS = { seed: "#4269d0", front: "#e4572e", before: "#6c7078" };
const WIDTH = 800;
const HEIGHT = 260;

/** A method's point. */
interface Placed {
  readonly name: string;
  readonly cost: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * A standalone SVG with a panel for each task: of each method the mean loss against what it costs on a logarithmic axis, with the lowest and the highest
 * seed, and a stepped line through the Pareto front, the methods that no other one undercuts in both.
 *
 * @throws {RangeError} when there is nothing finite to draw
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
  const shown = panels.map(({ name, before, methods }) => ({
    ...{ name, before },
    points: methods.flatMap(placed),
  })).filter(({ points }) => points.length > 0);
  if (shown.length === 0) throw new RangeError(`Cannot draw "${title}": no finite value`);
  const legend: [string, string][] = [
    ["mean, lowest and highest seed", COLOURS.seed],
    ["Pareto front", COLOURS.front],
    ["before", COLOURS.before],
  ];
  return compose(
    WIDTH,
    title,
    legend,
    shown.map(({ name, before, points }) =>
      panel({
        width: WIDTH,
        height: HEIGHT,
        marginRight: 150,
        x: { type: "log", label: null, grid: true, nice: true },
        y: { label: `${name}: held-out loss (nats)`, grid: true, nice: true },
        marks: marksOf(points, before),
      })
    ),
  );
}

function placed({ name, cost, losses }: CostedMethod): Placed[] {
  const finite = losses.filter(Number.isFinite);
  if (finite.length === 0 || !(cost > 0)) return [];
  const mean = finite.reduce((a, b) => a + b, 0) / finite.length;
  return [{ name, cost, mean, low: Math.min(...finite), high: Math.max(...finite) }];
}

/** The points that no other undercuts, from the cheapest on. */
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
    Plot.lineY(front(points), {
      x: "cost",
      y: "mean",
      curve: "step-after",
      stroke: COLOURS.front,
      strokeOpacity: 0.7,
    }),
    Plot.ruleX(points, { x: "cost", y1: "low", y2: "high", stroke: COLOURS.seed }),
    Plot.dot(points, { x: "cost", y: "mean", r: 3.5, fill: COLOURS.seed }),
    Plot.text(points, { x: "cost", y: "mean", text: "name", textAnchor: "start", dx: 7 }),
  ];
}
