/**
 * The scale (and zero point or minimum) of one group of values, chosen by squared error.
 *
 * @module
 */

import { equalImportance } from "./column_importance.ts";
import type { GroupFitter } from "./fitted_group.ts";
import { numberToFloat16, roundToFloat16 } from "../layouts/float16.ts";
import type { ScalarLayout } from "../layouts/layout.ts";
import { tableFitter } from "./table_fit.ts";

export type { GroupFit, GroupFitter } from "./fitted_group.ts";

const SHRINKS = 20;
const SMALLEST_SHRINK = 0.5;
const REFINEMENTS = 3;
const LARGEST_FLOAT16 = 65504;

/** Returns a function that fits one group of `layout`, by default with equal importance. Values must be finite. */
export function groupFitter(
  layout: ScalarLayout,
  search: boolean,
): GroupFitter {
  const { bits, center, second, levels = 2 ** bits } = layout;
  const largest = levels - 1;
  if (layout.table) return tableFitter(layout.table, search);

  return (values, importance = equalImportance(values.length)) => {
    let bestScale = 0;
    let bestSecond = 0;
    let bestError = Infinity;
    const consider = (wantedScale: number, wantedSecond: number): boolean => {
      const scale = clampedFloat16(wantedScale);
      const other = second === "zero"
        ? Math.min(largest, Math.max(0, Math.round(wantedSecond)))
        : clampedFloat16(wantedSecond);
      const error = squaredError(values, importance, scale, other, layout, bestError);
      if (!(error < bestError)) return false;
      [bestScale, bestSecond, bestError] = [scale, other, error];
      return true;
    };

    const [low, high] = range(values);
    const steps = search ? SHRINKS : 0;
    for (let step = 0; step <= steps; step++) {
      const shrink = 1 - (1 - SMALLEST_SHRINK) * step / SHRINKS;
      if (second === "none") {
        const extreme = -low > high ? low : high;
        consider(shrink * extreme / -center, 0);
        consider(shrink * Math.abs(extreme) / (largest - center), 0);
      } else if (second === "zero") {
        // The range includes 0, so that the zero point is a valid code.
        const from = Math.min(0, low) * shrink;
        const scale = (Math.max(0, high) * shrink - from) / largest;
        consider(scale, scale === 0 ? 0 : -from / scale);
      } else {
        const middle = (low + high) / 2;
        const half = (high - low) / 2 * shrink;
        const scale = 2 * half / largest;
        consider(scale, middle - half + center * scale);
      }
    }
    for (let i = 0; search && i < REFINEMENTS; i++) {
      const [scale, other] = leastSquares(values, importance, bestScale, bestSecond, layout);
      if (!consider(scale, other)) break;
    }
    return { scale: numberToFloat16(bestScale), second: numberToFloat16(bestSecond) };
  };

  /** The least-squares scale (and minimum, if there is one) for the codes that result from the given scale. */
  function leastSquares(
    values: Float32Array,
    importance: Float32Array,
    scale: number,
    other: number,
    { second }: ScalarLayout,
  ): [number, number] {
    if (scale === 0) return [scale, other];
    const origin = second === "zero" ? other : center;
    const shift = second === "min" ? origin - other / scale : origin;
    let [sum, sumQ, sumX, sumQQ, sumQX] = [0, 0, 0, 0, 0];
    for (let k = 0; k < values.length; k++) {
      const x = values[k];
      const weight = importance[k];
      const code = Math.floor(x / scale + shift + 0.5);
      const q = (code < 0 ? 0 : code > largest ? largest : code) - origin;
      sum += weight;
      sumQ += weight * q;
      sumX += weight * x;
      sumQQ += weight * q * q;
      sumQX += weight * q * x;
    }
    if (second !== "min") return [sumQQ === 0 ? scale : sumQX / sumQQ, other];
    const determinant = sum * sumQQ - sumQ * sumQ;
    if (determinant === 0) return [scale, other];
    const slope = (sum * sumQX - sumQ * sumX) / determinant;
    return [slope, (sumX - slope * sumQ) / sum];
  }
}

/** The weighted squared error. Stops early when it reaches `limit`. */
function squaredError(
  values: Float32Array,
  importance: Float32Array,
  scale: number,
  other: number,
  { bits, center, second, levels = 2 ** bits }: ScalarLayout,
  limit: number,
): number {
  const largest = levels - 1;
  const inverse = scale === 0 ? 0 : 1 / scale;
  const origin = second === "zero" ? other : center;
  const shift = second === "min" ? origin - other * inverse : origin;
  const added = (second === "min" ? other : 0) - scale * origin;
  let error = 0;
  for (let k = 0; k < values.length; k++) {
    const x = values[k];
    const rounded = Math.floor(x * inverse + shift + 0.5);
    const code = rounded < 0 ? 0 : rounded > largest ? largest : rounded;
    const difference = x - (scale * code + added);
    error += importance[k] * difference * difference;
    if (error >= limit) break;
  }
  return error;
}

function range(values: Float32Array): [number, number] {
  let [low, high] = [values[0], values[0]];
  for (let k = 1; k < values.length; k++) {
    if (values[k] < low) low = values[k];
    if (values[k] > high) high = values[k];
  }
  return [low, high];
}

function clampedFloat16(value: number): number {
  // Adding zero makes -0 positive, so that an all-zero group has a single representation.
  return roundToFloat16(Math.min(LARGEST_FLOAT16, Math.max(-LARGEST_FLOAT16, value))) + 0;
}
