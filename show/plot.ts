/**
 * Draws the curve of a run: training and held-out loss, and accuracy below them.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { DOMParser } from "linkedom";
import { shortName, svgMarkup } from "./printable.ts";

/** The recorded values of a run. Those that are not finite are left out. */
export interface LossCurve {
  /** Training losses. */
  readonly steps: readonly { readonly step: number; readonly loss: number }[];
  /** Held-out evaluations. Accuracy is from 0 to 1. */
  readonly evaluations?: readonly {
    readonly step: number;
    readonly loss?: number;
    readonly accuracy?: number;
  }[];
}

/** Options of a curve. */
export interface LossCurveOptions {
  /** Title above the picture. Default: none. */
  readonly title?: string;
  /** Width in pixels. Default 800. */
  readonly width?: number;
  /** Height of the loss panel in pixels. The accuracy panel is half as high. Default 320. */
  readonly height?: number;
  /** Unit of the loss. Default `"nats"`. */
  readonly unit?: string;
}

const colours = { raw: "#c8ccd4", training: "#4269d0", heldOut: "#e4572e", accuracy: "#2f8f5b" };
const mostDots = 2000;
const smoothedPoints = 40;
const header = 44;
const font = "system-ui, sans-serif";

interface Point {
  readonly step: number;
  readonly value: number;
}

/**
 * A standalone SVG of a run: training losses as dots (at most 2000) and smoothed as a line, held-out loss, and held-out accuracy in a separate panel
 * if there is any.
 *
 * @throws {RangeError} when there is no finite value to draw.
 *
 * @example A short run
 * ```ts
 * import { lossCurveSvg } from "./plot.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const svg = lossCurveSvg({
 *   steps: [{ step: 1, loss: 0.7 }, { step: 2, loss: 0.6 }],
 *   evaluations: [{ step: 0, loss: 0.69, accuracy: 0.5 }, { step: 2, loss: 0.62, accuracy: 0.7 }],
 * }, { title: "reviews" });
 * assertStringIncludes(svg, '<svg xmlns="http://www.w3.org/2000/svg"');
 * assertStringIncludes(svg, "held-out accuracy");
 * ```
 */
export function lossCurveSvg(curve: LossCurve, options: LossCurveOptions = {}): string {
  const { width = 800, height = 320, unit = "nats", title = "" } = options;
  const evaluations = curve.evaluations ?? [];
  const training = points(curve.steps, ({ loss }) => loss);
  const heldOut = points(evaluations, ({ loss }) => loss);
  const accuracy = points(evaluations, (it) => it.accuracy);
  const all = [...training, ...heldOut, ...accuracy];
  if (all.length === 0) {
    throw new RangeError(
      `Cannot draw a loss curve: no finite value in ${curve.steps.length} steps and ${evaluations.length} evaluations`,
    );
  }
  const lastStep = all.reduce((last, { step }) => Math.max(last, step), 1);
  const x = { label: "step", domain: [0, lastStep], tickFormat: "d" };
  const stride = Math.ceil(training.length / mostDots);
  const smoothed: Plot.LineYOptions & Plot.BinXInputs<Plot.LineYOptions> = {
    x: "step",
    y: "value",
    thresholds: smoothedPoints,
    stroke: colours.training,
    strokeWidth: 2,
  };
  const panels: Panel[] = [];
  if (training.length + heldOut.length > 0) {
    panels.push(panel({
      width,
      height,
      x,
      y: { label: `loss (${unit})`, grid: true, nice: true },
      marks: [
        Plot.dot(training.filter((_, index) => index % stride === 0), {
          x: "step",
          y: "value",
          r: 1.5,
          fill: colours.raw,
        }),
        Plot.lineY(
          training,
          Plot.binX<Plot.LineYOptions>({ x: "mean", y: "mean" }, smoothed),
        ),
        ...heldOutMarks(heldOut, colours.heldOut),
      ],
    }));
  }
  if (accuracy.length > 0) {
    panels.push(panel({
      width,
      height: Math.round(height / 2),
      x,
      y: { label: "accuracy (%)", grid: true, nice: true, percent: true },
      marks: heldOutMarks(accuracy, colours.accuracy),
    }));
  }
  const legend: [string, string][] = [];
  if (training.length > 0) {
    legend.push(["training loss", colours.raw], ["training loss, smoothed", colours.training]);
  }
  if (heldOut.length > 0) legend.push(["held-out loss", colours.heldOut]);
  if (accuracy.length > 0) legend.push(["held-out accuracy", colours.accuracy]);
  return compose(width, title, legend, panels);
}

export interface Panel {
  readonly height: number;
  readonly svg: Element;
}

/** The part of linkedom's elements that is used here. */
export interface Element {
  readonly outerHTML: string;
  textContent: string | null;
  setAttribute(name: string, value: string): void;
  append(...children: unknown[]): void;
}

const document = new DOMParser().parseFromString("<html></html>", "text/html");

export function panel(options: Plot.PlotOptions & { height: number }): Panel {
  const svg = Plot.plot({
    document,
    marginLeft: 56,
    marginTop: 26,
    marginBottom: 40,
    marginRight: 20,
    style: { fontSize: "12px" },
    ...options,
  });
  return { height: options.height, svg };
}

function heldOutMarks(data: readonly Point[], colour: string): Plot.Markish[] {
  const channels = { x: "step", y: "value" };
  return [
    Plot.lineY(data, { ...channels, stroke: colour, strokeWidth: 2 }),
    Plot.dot(data, { ...channels, r: 3, fill: colour }),
  ];
}

function points<Row extends { readonly step: number }>(
  rows: readonly Row[],
  value: (row: Row) => number | undefined,
): Point[] {
  return rows.flatMap((row) => {
    const it = value(row);
    return it === undefined || !Number.isFinite(it) ? [] : [{ step: row.step, value: it }];
  });
}

function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  text?: string,
): Element {
  const created: Element = document.createElementNS("http://www.w3.org/2000/svg", name, {});
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, String(value));
  if (text !== undefined) created.textContent = text;
  return created;
}

/** Combines title, legend and panels, one below the other, into one SVG. */
export function compose(
  width: number,
  title: string,
  legend: readonly (readonly [string, string])[],
  panels: readonly Panel[],
): string {
  const height = panels.reduce((sum, it) => sum + it.height, header);
  const root = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    "font-family": font,
    "font-size": 12,
  });
  root.append(element("rect", { width: "100%", height: "100%", fill: "white" }));
  root.append(
    element("text", { x: 12, y: 20, "font-size": 15, "font-weight": "bold" }, shortName(title)),
  );
  let x = 12;
  for (const [given, colour] of legend) {
    const name = shortName(given);
    root.append(element("rect", { x, y: 31, width: 12, height: 4, fill: colour }));
    root.append(element("text", { x: x + 17, y: 37 }, name));
    x += 38 + 6.5 * name.length;
  }
  let y = header;
  for (const { svg, height } of panels) {
    svg.setAttribute("y", String(y));
    root.append(svg);
    y += height;
  }
  const markup = root.outerHTML.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"');
  return `${svgMarkup(markup)}\n`;
}
