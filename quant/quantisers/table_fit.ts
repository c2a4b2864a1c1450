/**
 * Fits groups of values by a scale and a table of 16 code values.
 *
 * @module
 */

import { CODE_TABLES, type CodeTable } from "../layouts/code_tables.ts";
import { equalImportance } from "./column_importance.ts";
import type { GroupFitter } from "./fitted_group.ts";
import { numberToFloat16, roundToFloat16 } from "../layouts/float16.ts";

const SHRINKS = 20;
const SMALLEST_SHRINK = 0.5;
const REFINEMENTS = 3;
const LARGEST_FLOAT16 = 65504;

/** Returns a function that gives the code whose value is nearest to a number; of equal values, the first code. */
export function nearestCode(name: CodeTable): (value: number) => number {
  const table = CODE_TABLES[name];
  const codes = [...table.keys()]
    .filter((code) => table.indexOf(table[code]) === code)
    .sort((a, b) => table[a] - table[b]);
  const borders = codes.slice(1).map((code, i) => (table[codes[i]] + table[code]) / 2);
  return (value) => {
    let low = 0;
    let high = borders.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value < borders[middle]) high = middle;
      else low = middle + 1;
    }
    return codes[low];
  };
}

/** Like `groupFitter`, for layouts with a table. The candidates bring the extreme value to either end of the table or, with `search`, beyond it. */
export function tableFitter(name: CodeTable, search: boolean): GroupFitter {
  const table = CODE_TABLES[name];
  const nearest = nearestCode(name);
  const ends = [Math.min(...table), Math.max(...table)];
  return (values, importance = equalImportance(values.length)) => {
    let best = 0;
    let bestError = Infinity;
    const consider = (wanted: number): boolean => {
      const scale = roundToFloat16(Math.min(LARGEST_FLOAT16, Math.max(-LARGEST_FLOAT16, wanted))) +
        0;
      const inverse = scale === 0 ? 0 : 1 / scale;
      let error = 0;
      for (let k = 0; k < values.length; k++) {
        const x = values[k];
        error += importance[k] * (x - scale * table[nearest(x * inverse)]) ** 2;
      }
      if (!(error < bestError)) return false;
      [best, bestError] = [scale, error];
      return true;
    };
    let extreme = 0;
    for (const x of values) if (Math.abs(x) > Math.abs(extreme)) extreme = x;
    for (let step = 0; step <= (search ? SHRINKS : 0); step++) {
      const shrink = 1 - (1 - SMALLEST_SHRINK) * step / SHRINKS;
      for (const end of ends) consider(shrink * extreme / end);
    }
    for (let i = 0; search && best !== 0 && i < REFINEMENTS; i++) {
      let [along, length] = [0, 0];
      for (let k = 0; k < values.length; k++) {
        const value = table[nearest(values[k] / best)];
        along += importance[k] * values[k] * value;
        length += importance[k] * value * value;
      }
      if (length === 0 || !consider(along / length)) break;
    }
    return { scale: numberToFloat16(best), second: 0 };
  };
}
