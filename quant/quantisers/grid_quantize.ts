/**
 * Round-to-nearest quantisation to grids: finds for each group the scale with the least error, then the super-block's f16 factor that brings the
 * scales close to integers, and finally tries the neighbouring integers for each group.
 *
 * @module
 */

import type { Computation } from "./computation.ts";
import { float16ToNumber } from "../layouts/float16.ts";
import {
  addHighBits,
  type Grid,
  gridLevels,
  GRIDS,
  shiftBit,
  signsWord,
} from "../layouts/grids.ts";
import type { PackedTensor, SuperLayout } from "../layouts/layout.ts";
import { planeBytes } from "../layouts/planes.ts";
import { chooseFactor, nearestInteger } from "../layouts/super_factor.ts";
import { superByte } from "../layouts/super_rows.ts";
import { emptySuperBlock, SUPER_SCALES, writeSuperBlock } from "../layouts/super_scales.ts";

/** Scales to try, relative to the one that brings the largest magnitude to the highest level. */
const SHRINKS = [1, 1.1, 0.92, 0.84, 0.76, 0.68, 0.6, 0.5];
const REFINEMENTS = 2;

/** A group quantised with one scale. */
interface Points {
  /** Codes by point. */
  readonly codes: Uint16Array<ArrayBuffer>;
  /** Sign bits, one per column. */
  negative: number;
  /** Whether each point is shifted down. */
  readonly down: Uint8Array<ArrayBuffer>;
  /** Weighted squared error. */
  error: number;
  /** The scale with the least error for these points. */
  best: number;
}

/** Quantises row-major finite `values` into `t`, which has the layout of `grid`. `importance` gives the weight of each column. */
export function* quantizeGrid(
  values: Float32Array,
  t: PackedTensor,
  layout: SuperLayout,
  grid: Grid,
  importance: Float32Array,
  search: boolean,
): Computation<void> {
  const { group, range, plus = 0 } = SUPER_SCALES[grid];
  const { columns: width, levels, highStep, signs } = GRIDS[grid];
  const [groups, perGroup] = [256 / group, group / width];
  const scaleBytes = planeBytes(t.scales);
  const assign = assigner(grid, group);
  const block = emptySuperBlock(grid);
  const trial = emptyPoints(perGroup);
  const found = Array.from({ length: groups }, () => emptyPoints(perGroup));
  for (let row = 0; row < t.rows; row++) {
    for (let from = 0; from < t.columns; from += 256) {
      const valuesOf = (g: number) =>
        values.subarray(
          row * t.columns + from + g * group,
          row * t.columns + from + (g + 1) * group,
        );
      const importanceOf = (g: number) =>
        importance.subarray(from + g * group, from + (g + 1) * group);
      const wanted = found.map((_, g) => bestScale(valuesOf(g), importanceOf(g)));
      const sizes = found.map((_, g) => importanceOf(g).reduce((sum, weight) => sum + weight));
      block.d = chooseFactor(wanted, sizes, grid, search);
      const d = float16ToNumber(block.d);
      block.scales.fill(0);
      found.forEach((points, g) => {
        points.error = Infinity;
        const middle = nearestInteger(wanted[g], d, grid);
        for (let i = middle - (search ? 1 : 0); i <= middle + (search ? 1 : 0); i++) {
          if (i < range[0] || i > range[1]) continue;
          assign(valuesOf(g), importanceOf(g), d * (i + plus), trial);
          if (!(trial.error < points.error)) continue;
          copyPoints(trial, points);
          block.scales[g] = i;
        }
      });
      const at = superByte(layout, t.columns, row, from / 256);
      write(row * t.columns + from, at);
      writeSuperBlock(grid, scaleBytes, at, block);
      yield;
    }
  }

  function bestScale(values: Float32Array, importance: Float32Array): number {
    let largest = 0;
    for (const x of values) largest = Math.max(largest, Math.abs(x));
    if (largest === 0) return 0;
    const reaching = largest / levels[levels.length - 1];
    let [best, least, next] = [reaching, Infinity, 0];
    const consider = (scale: number): boolean => {
      assign(values, importance, scale, trial);
      if (!(trial.error < least)) return false;
      [best, least, next] = [scale, trial.error, trial.best];
      return true;
    };
    // For equal magnitudes, the lowest level is best, because a point exists in which all columns have it.
    const lowest = signs && search ? [levels[levels.length - 1] / levels[0]] : [];
    for (const shrink of search ? [...SHRINKS, ...lowest] : [1]) {
      consider(reaching * shrink);
    }
    for (let i = 0; search && i < REFINEMENTS && next > 0; i++) if (!consider(next)) break;
    return best;
  }

  /** Writes the points of a super-block whose first element is `first` and whose scales are at `at`. */
  function write(first: number, at: number): void {
    const perBlock = 32 / width;
    for (let b = 0; b < 8; b++) {
      const words = (first / 32 + b) * layout.bits;
      let upper = 0;
      for (let i = 0; i < perBlock; i++) {
        const point = b * perBlock + i;
        const code = found[Math.floor(point / perGroup)].codes[point % perGroup];
        t.codes[words + (i >> 2)] |= (code & 255) << (8 * (i & 3));
        upper |= code >> 8 << (highStep * i);
        if (found[Math.floor(point / perGroup)].down[point % perGroup]) {
          upper |= 1 << shiftBit(grid, i);
        }
      }
      addHighBits(grid, scaleBytes, at, b, upper);
      if (!signs) continue;
      t.codes[words + signsWord(grid)] = group === 32
        ? found[b].negative
        : found[2 * b].negative | found[2 * b + 1].negative << 16;
    }
  }
}

function emptyPoints(count: number): Points {
  const [codes, down] = [new Uint16Array(count), new Uint8Array(count)];
  return { codes, down, negative: 0, error: Infinity, best: 0 };
}

function copyPoints(from: Points, to: Points): void {
  to.codes.set(from.codes);
  to.down.set(from.down);
  [to.negative, to.error, to.best] = [from.negative, from.error, from.best];
}

/** Returns a function that finds the nearest points of a group for a scale. */
function assigner(
  grid: Grid,
  group: number,
): (values: Float32Array, importance: Float32Array, scale: number, out: Points) => void {
  const { columns: width, levels, signs, even, shift, shiftOf } = GRIDS[grid];
  const points = gridLevels(grid);
  const near = neighboursOf(grid);
  const magnitudes = new Float64Array(group);
  const middles = levels.slice(1).map((level, l) => (level + levels[l]) / 2);
  const perGroup = group / width;
  const ways = (shift === 0 ? [0] : [shift, -shift]).map((added) => ({
    added,
    /** Levels of every point, `[points][columns]`. */
    levels: Float64Array.from(points, (level) => levels[level] + added),
    codes: new Uint16Array(perGroup),
    errors: new Float64Array(perGroup),
  }));

  /** Finds the nearest points of a group for one direction of the shift, and their errors. */
  const attempt = (importance: Float32Array, scale: number, way: typeof ways[number]): void => {
    for (let v = 0; v < perGroup; v++) {
      let key = 0;
      const from = v * width;
      for (let k = width - 1; k >= 0; k--) {
        const x = scale === 0 ? 0 : magnitudes[from + k] / scale - way.added;
        let level = 0;
        for (let m = 0; m < middles.length; m++) if (x > middles[m]) level++;
        key = key * levels.length + level;
      }
      let [code, least] = [0, Infinity];
      const candidates = near(key);
      for (let c = 0; c < candidates.length; c++) {
        const first = candidates[c] * width;
        let error = 0;
        for (let k = 0; k < width && error < least; k++) {
          const missed = magnitudes[from + k] - scale * way.levels[first + k];
          error += importance[from + k] * missed * missed;
        }
        if (error >= least) continue;
        code = candidates[c];
        least = error;
      }
      way.codes[v] = code;
      way.errors[v] = least;
    }
  };

  return (values, importance, scale, out) => {
    out.negative = 0;
    for (let k = 0; k < group; k++) {
      const negative = signs && values[k] < 0;
      magnitudes[k] = negative ? -values[k] : values[k];
      if (negative) out.negative |= 1 << k;
    }
    for (let from = 0; even && from < group; from += 8) evenSigns(importance, from, out);
    for (const way of ways) attempt(importance, scale, way);
    const [up, down = up] = ways;
    const total = (way: typeof up) => way.errors.reduce((sum, error) => sum + error);
    const together = shiftOf === "block" && total(down) < total(up);
    out.error = 0;
    let [product, square] = [0, 0];
    for (let v = 0; v < perGroup; v++) {
      const lower = shiftOf === "block" ? together : down.errors[v] < up.errors[v];
      const way = lower ? down : up;
      out.down[v] = lower ? 1 : 0;
      out.codes[v] = way.codes[v];
      out.error += way.errors[v];
      for (let k = v * width; k < (v + 1) * width; k++) {
        const level = way.levels[way.codes[v] * width + k % width];
        product += importance[k] * magnitudes[k] * level;
        square += importance[k] * level * level;
      }
    }
    out.best = square > 0 ? product / square : 0;
  };

  /** If the number of negative signs is odd, inverts the sign that costs least. */
  function evenSigns(importance: Float32Array, from: number, out: Points): void {
    let odd = 0;
    let [cheapest, least] = [from, Infinity];
    for (let k = from; k < from + 8; k++) {
      odd ^= out.negative >>> k & 1;
      const cost = importance[k] * magnitudes[k] ** 2;
      if (cost < least) [cheapest, least] = [k, cost];
    }
    if (odd === 0) return;
    out.negative ^= 1 << cheapest;
    magnitudes[cheapest] = -magnitudes[cheapest];
  }
}

/** Neighbours by grid, computed once, because finding them takes longer than quantising a small tensor. */
const known = new Map<Grid, (key: number) => Uint16Array>();

function neighboursOf(grid: Grid): (key: number) => Uint16Array {
  const found = known.get(grid) ?? neighbours(grid, gridLevels(grid));
  known.set(grid, found);
  return found;
}

/** Returns a function that finds the points at the two least distances from given levels. `key` has the levels as digits, the first column lowest. */
function neighbours(grid: Grid, points: Uint8Array): (key: number) => Uint16Array {
  const { columns: width, levels } = GRIDS[grid];
  const known: Uint16Array[] = [];
  /** Squared distance from the given level, by column and level of a point. */
  const squares = new Float64Array(width * levels.length);
  const distances = new Float64Array(points.length / width);
  return (key) => {
    if (known[key]) return known[key];
    for (let k = 0, rest = key; k < width; k++) {
      const wanted = levels[rest % levels.length];
      for (let level = 0; level < levels.length; level++) {
        squares[k * levels.length + level] = (levels[level] - wanted) ** 2;
      }
      rest = Math.floor(rest / levels.length);
    }
    let [least, second] = [Infinity, Infinity];
    for (let p = 0, i = 0; p < distances.length; p++) {
      let distance = 0;
      for (let k = 0; k < width; k++) distance += squares[k * levels.length + points[i++]];
      distances[p] = distance;
      if (distance < least) [least, second] = [distance, least];
      else if (distance > least && distance < second) second = distance;
    }
    let count = 0;
    for (let p = 0; p < distances.length; p++) if (distances[p] <= second) count++;
    const near = new Uint16Array(count);
    for (let p = 0, at = 0; at < count; p++) if (distances[p] <= second) near[at++] = p;
    return known[key] = near;
  };
}
