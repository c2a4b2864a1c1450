/**
 * Metrics of correct predictions.
 *
 * @module
 */

/** A proportion with its confidence interval. */
export interface Accuracy {
  /** Number of correct predictions. */
  readonly correct: number;
  /** Number of predictions. */
  readonly count: number;
  /** `correct / count`. */
  readonly accuracy: number;
  /** Lower end of the confidence interval. */
  readonly low: number;
  /** Upper end of the confidence interval. */
  readonly high: number;
}

/**
 * The index of the largest score; of equal ones, the first.
 *
 * @throws {RangeError} when there are no scores or one is NaN, so that a broken model does not seem to make a choice.
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
 * The proportion of correct predictions with its Wilson score interval (Wilson 1927), which stays within 0 and 1 and is reliable for few
 * examples.
 *
 * @param z Half-width of the interval in standard deviations. Default 1.96, for 95 %.
 * @throws {TypeError} when the numbers of predictions and labels differ.
 * @throws {RangeError} when there are none.
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

/** A proportion with its Wilson score interval; see {@linkcode accuracy}. */
export function shareOf(correct: number, count: number, z = 1.959963984540054): Accuracy {
  const share = correct / count;
  const weight = z * z / count;
  const middle = (share + weight / 2) / (1 + weight);
  const half = z / (1 + weight) * Math.sqrt(share * (1 - share) / count + weight / (4 * count));
  return {
    correct,
    count,
    accuracy: share,
    // Exact at the ends, where the formula has rounding errors.
    low: correct === 0 ? 0 : middle - half,
    high: correct === count ? 1 : middle + half,
  };
}

/**
 * The mean F1 over all classes that occur among the labels or predictions. A class without correct predictions has an F1 of 0.
 *
 * @throws {TypeError} when the numbers of predictions and labels differ.
 * @throws {RangeError} when there are none.
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
 * F1 of one class: the harmonic mean of precision (the fraction of its predictions that are correct) and recall (the fraction of its examples
 * that are found). 0 if the class occurs neither among predictions nor labels. MultiRC's F1a is that of the correct answers, over the answers to
 * all questions (Khashabi et al. 2018).
 *
 * @param one The class. Default 1.
 * @throws {TypeError} when the numbers of predictions and labels differ.
 * @throws {RangeError} when there are none.
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
 * The fraction of the most frequent label, which is the accuracy of always predicting it.
 *
 * @throws {RangeError} when there are no labels.
 *
 * @example Two of three
 * ```ts
 * import { majorityShare } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(majorityShare([0, 1, 0]), 2 / 3);
 * ```
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
