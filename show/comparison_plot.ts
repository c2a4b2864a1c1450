/**
 * Draws the held-out losses of several optimisers over forward passes as one picture, with their accuracies below if there are any.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { compose, panel } from "./plot.ts";

/** One line of the picture. */
export interface ComparisonCurve {
  /** Name in the legend. */
  readonly name: string;
  /** Evaluations. Losses that are not finite are left out; accuracy is from 0 to 1. */
  readonly points: readonly {
    readonly forwards: number;
    readonly loss: number;
    readonly accuracy?: number;
  }[];
}

/** Options of a comparison. */
export interface ComparisonOptions {
  /** Scale of forward passes. With `"log"`, evaluations at 0 are drawn at 1. Default `"linear"`. */
  readonly scale?: "linear" | "log";
}

const COLOURS = [
  "#4269d0",
  "#e4572e",
  "#2f8f5b",
  "#a463f2",
  "#efb118",
  "#3ca7b8",
  "#9c6b4e",
  "#ff8ab7",
  "#6c7078",
];
const DASHES = ["none", "6 3", "2 3"];

/**
 * A standalone SVG. With more than nine lines, they also differ in their dashes. Losses far above the initial ones are cut off.
 *
 * @throws {RangeError} when there is no finite loss to draw.
 *
 * @example Two optimisers
 * ```ts
 * import { comparisonSvg } from "./comparison_plot.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const points = [{ forwards: 0, loss: 4 }, { forwards: 64, loss: 3.9 }];
 * assertStringIncludes(comparisonSvg([{ name: "qzo", points }], "stories"), "<svg");
 * ```
 */
export function comparisonSvg(
  curves: readonly ComparisonCurve[],
  title: string,
  { scale = "linear" }: ComparisonOptions = {},
): string {
  const shown = curves.map(({ name, points }) => ({
    name,
    points: points.filter(({ loss }) => Number.isFinite(loss)).map((point) =>
      scale === "log" ? { ...point, forwards: Math.max(1, point.forwards) } : point
    ),
  })).filter(({ points }) => points.length > 0);
  if (shown.length === 0) throw new RangeError(`Cannot draw "${title}": no finite loss`);
  const losses = shown.flatMap(({ points }) => points.map(({ loss }) => loss));
  const begin = Math.max(...shown.map(({ points }) => points[0].loss));
  const least = Math.min(...losses);
  const top = Math.min(Math.max(...losses), begin + 0.5 * Math.max(0.01, begin - least));
  const colour = (i: number) => COLOURS[i % COLOURS.length];
  const lines = (y: "loss" | "accuracy") =>
    shown.map(({ points }, i) =>
      Plot.lineY(points.filter((point) => point[y] !== undefined), {
        x: "forwards",
        y,
        stroke: colour(i),
        strokeWidth: 2,
        strokeDasharray: DASHES[Math.floor(i / COLOURS.length) % DASHES.length],
        clip: true,
      })
    );
  const width = 800;
  const x: Plot.ScaleOptions = {
    label: "forwards",
    ...(scale === "log" ? { type: "log", tickFormat: "~s" } : {}),
  };
  const hasAccuracy = shown.some(({ points }) =>
    points.some(({ accuracy }) => accuracy !== undefined)
  );
  return compose(width, title, shown.map(({ name }, i) => [name, colour(i)]), [
    panel({
      width,
      height: 420,
      x,
      y: { label: "held-out loss (nats)", grid: true, domain: [least, top], nice: true },
      marks: lines("loss"),
    }),
    ...(hasAccuracy
      ? [panel({
        width,
        height: 210,
        x,
        y: { label: "held-out accuracy (%)", grid: true, nice: true, percent: true },
        marks: lines("accuracy"),
      })]
      : []),
  ]);
}
