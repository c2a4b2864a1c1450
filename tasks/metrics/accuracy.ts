/**
 * How often predictions are right.
 *
 * @module
 */

/** A share with its confidence interval. */
export interface Accuracy {
  /** Right predictions. */
  readonly correct: number;
  /** All predictions. */
  readonly count: number;
  /** `correct / count`. */
  readonly accuracy: number;
  /** Lower end of the interval. */
  readonly low: number;
  /** Upper end of the interval. */
  readonly high: number;
}

/**
 * The index of the largest score; the first of equals.
 *
 * @throws RangeError without scores, or for one that is NaN: a broken model must not look like a guess.
 */
export function argmax(scores: ArrayLike<number>): number {
  if (scores.length === 0) throw new RangeError("Cannot take the best of no scores");
  let best = 0;
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(scores[i])) {
      throw new RangeError(`Cannot take the best score: score ${i} is NaN`);
    }
    if (scores[i] > scores[best]) best = i;
  }
  return best;
}

/**
 * The share of right predictions with its Wilson score interval (Wilson 1927), which stays within 0 and 1 and is sound for
 * few examples.
 *
 * @param z standard deviations of the interval. Default 1.96, for 95 %.
 * @throws TypeError if there are not as many predictions as labels, RangeError if there are none.
 *
 * @example Nine of ten
 * ```ts
 * import { accuracy } from "@qzo/qzo/tasks";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * const result = accuracy([1, 1, 1, 1, 1, 1, 1, 1, 1, 0], new Array(10).fill(1));
 * assertEquals(result.accuracy, 0.9);
 * assertAlmostEquals(result.low, 0.5958, 1e-4);
 * assertAlmostEquals(result.high, 0.9821, 1e-4);
 * ```
 */
export function accuracy(
  predictions: readonly number[],
  labels: readonly number[],
  z = 1.959963984540054,
): Accuracy {
  sameCount("accuracy", predictions, labels);
  return shareOf(labels.filter((label, i) => label === predictions[i]).length, labels.length, z);
}

/** A share of a count with its Wilson score interval; see {@linkcode accuracy}. */
export function shareOf(correct: number, count: number, z = 1.959963984540054): Accuracy {
  const share = correct / count;
  const weight = z * z / count;
  const middle = (share + weight / 2) / (1 + weight);
  const half = z / (1 + weight) * Math.sqrt(share * (1 - share) / count + weight / (4 * count));
  return {
    correct,
    count,
    accuracy: share,
    // Exact at the ends, where the sum is not.
    low: correct === 0 ? 0 : middle - half,
    high: correct === count ? 1 : middle + half,
  };
}

/**
 * The mean over classes of F1, where the classes are those among the labels and the predictions; a class that is never
 * predicted right has 0.
 *
 * @throws TypeError if there are not as many predictions as labels, RangeError if there are none.
 *
 * @example One class found, one missed
 * ```ts
 * import { macroF1 } from "@qzo/qzo/tasks";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * assertAlmostEquals(macroF1([0, 0, 0], [0, 0, 1]), 0.4);
 * ```
 */
export function macroF1(predictions: readonly number[], labels: readonly number[]): number {
  sameCount("macro F1", predictions, labels);
  const classes = [...new Set([...labels, ...predictions])];
  const scores = classes.map((one) => classF1(predictions, labels, one));
  return scores.reduce((sum, score) => sum + score, 0) / classes.length;
}

/**
 * F1 of one class: the harmonic mean of how many of its predictions are right and how many of its examples are found; 0 where it is neither
 * predicted nor there. MultiRC's F1a is that of the right answers, over the answers of all questions (Khashabi et al. 2018).
 *
 * @param one the class. Default 1.
 * @throws TypeError if there are not as many predictions as labels, RangeError if there are none.
 *
 * @example One of two found, one of two predictions right
 * ```ts
 * import { classF1 } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(classF1([1, 0, 1, 0], [1, 1, 0, 0]), 0.5);
 * ```
 */
export function classF1(
  predictions: readonly number[],
  labels: readonly number[],
  one: number = 1,
): number {
  sameCount("F1", predictions, labels);
  const right = labels.filter((label, i) => label === one && predictions[i] === one).length;
  const predicted = predictions.filter((prediction) => prediction === one).length;
  const actual = labels.filter((label) => label === one).length;
  return predicted + actual === 0 ? 0 : 2 * right / (predicted + actual);
}

/**
 * The share of the most frequent label: what guessing without looking achieves.
 *
 * @throws RangeError if there are no labels.
 */
export function majorityShare(labels: readonly number[]): number {
  if (labels.length === 0) throw new RangeError("Cannot take the majority of no labels");
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(...counts.values()) / labels.length;
}

function sameCount(what: string, predictions: readonly number[], labels: readonly number[]): void {
  if (predictions.length !== labels.length) {
    throw new TypeError(
      `Cannot compute ${what}: ${predictions.length} predictions for ${labels.length} labels`,
    );
  }
  if (labels.length === 0) throw new RangeError(`Cannot compute ${what} of no examples`);
}
