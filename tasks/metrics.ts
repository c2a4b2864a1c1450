/**
 * What an evaluation reports.
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
  const scores = classes.map((one) => {
    const right = labels.filter((label, i) => label === one && predictions[i] === one).length;
    const predicted = predictions.filter((prediction) => prediction === one).length;
    const actual = labels.filter((label) => label === one).length;
    return 2 * right / (predicted + actual);
  });
  return scores.reduce((sum, score) => sum + score, 0) / classes.length;
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

/** What the official script splits at: Python's white space. */
const whiteSpace = /(?:[^\S\ufeff]|\u0085)+/;

/**
 * SQuAD's normal form of an answer (Rajpurkar et al. 2016): lower case, without punctuation and articles, single spaces. Words have
 * letters of any script, as in the official script, whose word boundary knows Unicode; accents that are characters of their own belong to
 * their letters, where that script takes them for gaps.
 *
 * @example An article, and a name that ends like one
 * ```ts
 * import { normaliseAnswer } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(normaliseAnswer("The  Th\u00e9a!"), "th\u00e9a");
 * ```
 */
export function normaliseAnswer(text: string): string {
  return text.toLowerCase()
    .replace(/[!-/:-@[-`{-~]/g, "")
    .replace(/(?<![\p{L}\p{M}\p{N}_])(?:a|an|the)(?![\p{L}\p{M}\p{N}_])/gu, " ")
    .split(whiteSpace).filter((word) => word !== "").join(" ");
}

/**
 * F1 over the words that a prediction and an answer share, both in SQuAD's normal form; the best over several answers.
 *
 * @throws RangeError if there are no answers.
 *
 * @example Half of the words
 * ```ts
 * import { tokenF1 } from "@qzo/qzo/tasks";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * assertEquals(tokenF1("The cat!", ["cat"]), 1);
 * assertAlmostEquals(tokenF1("a black cat", ["cat"]), 2 / 3);
 * ```
 */
export function tokenF1(prediction: string, answers: readonly string[]): number {
  if (answers.length === 0) throw new RangeError("Cannot score a prediction without answers");
  const predicted = normaliseAnswer(prediction).split(" ").filter((word) => word !== "");
  return Math.max(...answers.map((answer) => {
    const expected = normaliseAnswer(answer).split(" ").filter((word) => word !== "");
    if (expected.length === 0 || predicted.length === 0) {
      return expected.length === predicted.length ? 1 : 0;
    }
    const left = new Map<string, number>();
    for (const word of expected) left.set(word, (left.get(word) ?? 0) + 1);
    const shared = predicted.filter((word) => {
      const count = left.get(word) ?? 0;
      left.set(word, count - 1);
      return count > 0;
    }).length;
    return 2 * shared / (predicted.length + expected.length);
  }));
}

/** Perplexity of a mean loss in nats a token. */
export function perplexity(meanNats: number): number {
  return Math.exp(meanNats);
}

/**
 * Bits a character: comparable between tokenizers, unlike the loss a token.
 *
 * @param totalNats the loss, summed over the tokens of a text.
 * @param characters of that text.
 * @throws RangeError if there are no characters.
 */
export function bitsPerCharacter(totalNats: number, characters: number): number {
  if (!(characters > 0)) throw new RangeError(`Cannot spread a loss over ${characters} characters`);
  return totalNats / Math.LN2 / characters;
}

function sameCount(what: string, predictions: readonly number[], labels: readonly number[]): void {
  if (predictions.length !== labels.length) {
    throw new TypeError(
      `Cannot compute ${what}: ${predictions.length} predictions for ${labels.length} labels`,
    );
  }
  if (labels.length === 0) throw new RangeError(`Cannot compute ${what} of no examples`);
}
