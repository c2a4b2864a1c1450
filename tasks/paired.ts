/**
 * Differences between two evaluations of the same examples, with confidence intervals.
 *
 * @module
 */

/** A difference with its confidence interval. */
export interface Difference {
  /** The value after minus the value before. */
  readonly difference: number;
  /** Lower end of the confidence interval. -Infinity if there is only one example, from which no interval can be computed. */
  readonly low: number;
  /** Upper end of the confidence interval. Infinity if there is only one example. */
  readonly high: number;
}

/** A difference of accuracies, as in McNemar's test. */
export interface AccuracyDifference extends Difference {
  /** Number of examples that were wrong before and are correct after. */
  readonly gained: number;
  /** Number of examples that were correct before and are wrong after. */
  readonly lost: number;
  /** Two-sided p value of McNemar's exact test: the probability of a split at least this uneven by chance. 1 if there are no such examples. */
  readonly p: number;
}

const Z = 1.959963984540054;

/**
 * The difference between two accuracies on the same examples. Only examples whose correctness changed carry information, so the interval is much
 * narrower than those of the two accuracies. It is that of Agresti and Min (2005), which adds half an example to each side and is reliable for
 * few examples.
 *
 * @param z Half-width of the interval in standard deviations. Default 1.96, for 95 %.
 * @throws {TypeError} when the numbers of predictions and labels differ.
 * @throws {RangeError} when there are none.
 *
 * @example Nine gained and one lost out of a hundred
 * ```ts
 * import { pairedAccuracy } from "@qzo/qzo/tasks";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * const labels = new Array(100).fill(1);
 * const before = labels.map((_, i) => i < 9 ? 0 : 1);
 * const after = labels.map((_, i) => i === 50 ? 0 : 1);
 * const { difference, gained, lost, low, p } = pairedAccuracy(before, after, labels);
 * assertEquals([difference, gained, lost], [0.08, 9, 1]);
 * assertAlmostEquals(low, 0.0167, 1e-3);
 * assertAlmostEquals(p, 0.0215, 1e-4);
 * ```
 */
export function pairedAccuracy(
  before: readonly number[],
  after: readonly number[],
  labels: readonly number[],
  z: number = Z,
): AccuracyDifference {
  const count = labels.length;
  if (before.length !== count || after.length !== count) {
    throw new TypeError(
      `Cannot compare accuracies: ${before.length} and ${after.length} predictions for ${count} labels`,
    );
  }
  if (count === 0) throw new RangeError("Cannot compare accuracies of no examples");
  const gained = labels.filter((label, i) => before[i] !== label && after[i] === label).length;
  const lost = labels.filter((label, i) => before[i] === label && after[i] !== label).length;
  const more = count + 2;
  const middle = (gained - lost) / more;
  const half = z / more * Math.sqrt(gained + lost + 1 - (gained - lost) ** 2 / more);
  return {
    difference: (gained - lost) / count,
    low: Math.max(-1, middle - half),
    high: Math.min(1, middle + half),
    gained,
    lost,
    p: signTest(gained, lost),
  };
}

/** The two-sided exact binomial test of an even split. */
function signTest(a: number, b: number): number {
  const n = a + b;
  let tail = 0;
  // The logarithm of n choose k, minus n log 2.
  let log = -n * Math.LN2;
  for (let k = 0; k <= Math.min(a, b); k++) {
    tail += Math.exp(log);
    log += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}

/**
 * The mean difference between two losses of the same examples, with an interval from its paired standard error.
 *
 * @param weights Weight of each example, such as its number of tokens. Default: all equal.
 * @param z Half-width of the interval in standard errors. Default 1.96, for 95 %.
 * @throws {TypeError} when the numbers of losses or weights differ.
 * @throws {RangeError} when there are none.
 *
 * @example A loss that falls by the same amount for every example
 * ```ts
 * import { pairedMean } from "@qzo/qzo/tasks";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const { difference, low, high } = pairedMean([3, 1, 2], [2.9, 0.9, 1.9]);
 * for (const value of [difference, low, high]) assertAlmostEquals(value, -0.1, 1e-9);
 * ```
 */
export function pairedMean(
  before: readonly number[],
  after: readonly number[],
  weights: readonly number[] = before.map(() => 1),
  z: number = Z,
): Difference {
  const count = before.length;
  if (after.length !== count || weights.length !== count) {
    throw new TypeError(
      `Cannot compare losses: ${before.length} before, ${after.length} after, ${weights.length} weights`,
    );
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) throw new RangeError("Cannot compare losses of no examples");
  const change = before.map((loss, i) => after[i] - loss);
  const difference = change.reduce((sum, value, i) => sum + weights[i] * value, 0) / total;
  // The variance of a ratio of sums over examples, each of which is one draw.
  const squares = change.reduce(
    (sum, value, i) => sum + (weights[i] * (value - difference)) ** 2,
    0,
  );
  // Examples with a weight of 0 do not count.
  const draws = weights.filter((weight) => weight > 0).length;
  const error = draws < 2 ? Infinity : Math.sqrt(squares * draws / (draws - 1)) / total;
  return { difference, low: difference - z * error, high: difference + z * error };
}
