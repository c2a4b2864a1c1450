/**
 * AWQ (Lin et al., arXiv 2306.00978, section 3.2): columns with large inputs are scaled up before rounding and their
 * inputs scaled down, so that rounding affects them less.
 *
 * @module
 */

import { outputMetric } from "./column_metric.ts";
import { type Computation, runHere, sharedFloats } from "./computation.ts";
import { decode } from "../layouts/decode.ts";
import type { InputStatistics } from "./input_statistics.ts";
import { quantizeComputation, type QuantizeOptions } from "./round_to_nearest.ts";

/** A linear layer to quantise. */
export interface AwqLayer {
  /** Weights, row-major `rows x columns`. */
  readonly values: Float32Array;
  /** Output features. */
  readonly rows: number;
  /** Name of the target format. */
  readonly format: string;
}

/** Options of the search. */
export interface AwqOptions extends Omit<QuantizeOptions, "statistics"> {
  /**
   * For each column, a number below `columns`. Columns with the same number share one factor because their inputs have
   * the same origin. Default: all differ.
   */
  readonly sources?: Uint32Array | undefined;
  /** Number of exponents to try: 0, 1 / grid, ... below 1. Default 20, as published. */
  readonly grid?: number;
  /** The greatest number of rows to examine per layer, evenly spaced. Default 256. */
  readonly sample?: number;
}

/** The result of the search. */
export interface AwqScales {
  /** One scale per column: weights are multiplied by it and inputs divided by it. */
  readonly factors: Float32Array;
  /** The exponent of the magnitudes. At 0 all factors are 1. */
  readonly exponent: number;
  /** Squared error of the outputs relative to their squared norm, summed over the layers. */
  readonly error: number;
  /** The same error without factors. */
  readonly plainError: number;
}

/**
 * Finds the factors for layers that share their inputs. A factor is the mean magnitude of its input, raised to the
 * exponent with which the outputs of the quantised layers have the least error. The factors are then divided by the
 * geometric mean of the largest and the smallest.
 *
 * Each attempt quantises all layers by `quantize`, with the statistics of the divided inputs; its search for clipped
 * ranges takes the place of the paper's. The exponent 0 is among them, so the error is never greater than without
 * factors. Takes `grid · rows · columns²` operations per layer.
 *
 * @throws {RangeError} as `quantize` does.
 * @throws {TypeError} when statistics or sources have a different number of columns.
 *
 * @example One large input
 * ```ts
 * import { awqScales } from "@qzo/qzo/quant";
 * import { assert } from "@std/assert";
 *
 * const columns = 32;
 * const magnitudes = Float32Array.from({ length: columns }, (_, k) => k === 3 ? 20 : 1);
 * const moments = new Float32Array(columns * columns);
 * magnitudes.forEach((size, k) => moments[k * (columns + 1)] = size * size);
 * const values = Float32Array.from({ length: 8 * columns }, (_, i) => Math.sin(i * i));
 * const layer = { values, rows: 8, format: "int3_g32" };
 * const { factors, error, plainError } = awqScales([layer], { columns, tokens: 9, moments, magnitudes });
 * assert(factors[3] > factors[4] && error < plainError);
 * ```
 */
export function awqScales(
  layers: readonly AwqLayer[],
  statistics: InputStatistics,
  options: AwqOptions = {},
): AwqScales {
  return runHere(awqComputation(layers, statistics, options));
}

/**
 * {@linkcode awqScales} as a computation: the caller computes the products with the second moments of the inputs; f32
 * precision is enough.
 */
export function* awqComputation(
  layers: readonly AwqLayer[],
  statistics: InputStatistics,
  options: AwqOptions = {},
): Computation<AwqScales> {
  const { columns } = statistics;
  const { sources, grid = 20, sample = 256, ...rounding } = options;
  if (sources && sources.length !== columns) {
    throw new TypeError(`Cannot scale ${columns} columns by ${sources.length} sources`);
  }
  const magnitudes = shared(statistics.magnitudes, sources);
  const metric = outputMetric(statistics, columns, 0);
  function* costs(e: Float64Array, rows: number) {
    const products = yield* metric.times(e, rows);
    return e.reduce((sum, x, i) => sum + x * products[i], 0);
  }
  const sampled: (AwqLayer & { readonly power: number })[] = [];
  for (const layer of layers) {
    const { values, rows } = someRows(layer, columns, sample);
    const all = sharedFloats(values.length);
    all.set(values);
    sampled.push({ ...layer, values, rows, power: (yield* costs(all, rows)) || 1 });
  }
  function* errorOf(factors: Float32Array) {
    const divided = dividedInputs(statistics, factors);
    let error = 0;
    for (const { values, rows, format, power } of sampled) {
      const scaled = timesColumns(values, factors);
      const rounded = decode(
        yield* quantizeComputation(scaled, rows, columns, format, {
          ...rounding,
          statistics: divided,
        }),
      );
      const e = sharedFloats(values.length);
      for (let i = 0; i < e.length; i++) e[i] = values[i] - rounded[i] / factors[i % columns];
      error += (yield* costs(e, rows)) / power;
    }
    return error;
  }
  const tries = [];
  for (let i = 0; i < grid; i++) {
    const factors = powersOf(magnitudes, i / grid);
    tries.push({ factors, exponent: i / grid, error: yield* errorOf(factors) });
  }
  const best = tries.reduce((a, b) => b.error < a.error ? b : a);
  return { ...best, plainError: tries[0].error };
}

/** At most `most` rows of a layer, evenly spaced. */
function someRows(
  { values, rows }: AwqLayer,
  columns: number,
  most: number,
): Pick<AwqLayer, "values" | "rows"> {
  const step = Math.ceil(rows / most);
  if (step === 1) return { values, rows };
  const count = Math.ceil(rows / step);
  const some = new Float32Array(count * columns);
  for (let i = 0; i < count; i++) {
    some.set(values.subarray(i * step * columns, (i * step + 1) * columns), i * columns);
  }
  return { values: some, rows: count };
}

/** Row-major values with every column multiplied by its factor. */
export function timesColumns(
  values: Float32Array,
  factors: Float32Array,
): Float32Array<ArrayBuffer> {
  const scaled = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) scaled[i] = values[i] * factors[i % factors.length];
  return scaled;
}

/** Statistics of the inputs after division by one factor per column. */
export function dividedInputs(
  { columns, tokens, moments, magnitudes }: InputStatistics,
  factors: Float32Array,
): InputStatistics {
  const divided = new Float32Array(moments.length);
  for (let i = 0, at = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++, at++) divided[at] = moments[at] / factors[i] / factors[j];
  }
  return {
    columns,
    tokens,
    moments: divided,
    magnitudes: Float32Array.from(magnitudes, (size, k) => size / factors[k]),
  };
}

/** For each column, the mean magnitude of the columns that share its source. */
function shared(magnitudes: Float32Array, sources: Uint32Array | undefined): Float32Array {
  if (!sources) return magnitudes;
  const sums = new Float64Array(magnitudes.length);
  const counts = new Float64Array(magnitudes.length);
  magnitudes.forEach((size, k) => {
    sums[sources[k]] += size;
    counts[sources[k]]++;
  });
  return magnitudes.map((_, k) => sums[sources[k]] / counts[sources[k]]);
}

// As a fraction of the largest magnitude, so that inputs that are always zero are not divided by zero.
const LEAST = 1e-4;

function powersOf(magnitudes: Float32Array, exponent: number): Float32Array<ArrayBuffer> {
  const most = magnitudes.reduce((a, b) => Math.max(a, b), 0);
  if (most === 0) return new Float32Array(magnitudes.length).fill(1);
  const powers = Float64Array.from(magnitudes, (size) => Math.max(LEAST, size / most) ** exponent);
  const [low, high] = [Math.min(...powers), Math.max(...powers)];
  return Float32Array.from(powers, (power) => power / Math.sqrt(low * high));
}
