/**
 * Compares generated answers with correct ones by SQuAD's rules (Rajpurkar et al. 2016).
 *
 * @module
 */

/** The separators of the official script: Python's white space. */
const whiteSpace = /(?:[^\S\ufeff]|\u0085)+/;

/**
 * SQuAD's normal form of an answer (Rajpurkar et al. 2016): lower case, without punctuation and articles, single spaces. Words may contain
 * letters of any script, as in the official script, whose word boundaries follow Unicode. Combining accents belong to their letters; the
 * official script treats them as separators.
 *
 * @example An article, and a name that ends in one
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
 * F1 over the words that a prediction and an answer have in common, both in SQuAD's normal form; the best over several answers.
 *
 * If they have no word in common, F1 is 0, even for two texts without words (`The` and `a`), as in the scripts of SQuAD 1.1, MeZO and QZO; that
 * of SQuAD 2.0 gives 1. If the first answer is `CANNOTANSWER` or `no answer`, only the same text matches it.
 *
 * @throws {RangeError} when there are no answers.
 *
 * @example Half of the words match
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
  if (answers[0] === "CANNOTANSWER" || answers[0] === "no answer") {
    return Number(normaliseAnswer(prediction) === normaliseAnswer(answers[0]));
  }
  const predicted = wordsOf(prediction);
  return Math.max(...answers.map((answer) => {
    const expected = wordsOf(answer);
    if (expected.length === 0 || predicted.length === 0) return 0;
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

/**
 * 1 if a prediction equals one of the answers, both in SQuAD's normal form; otherwise 0.
 *
 * @throws {RangeError} when there are no answers.
 *
 * @example Articles and full stops are ignored
 * ```ts
 * import { exactMatch } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(exactMatch("The cat.", ["dog", "cat"]), 1);
 * assertEquals(exactMatch("black cat", ["cat"]), 0);
 * ```
 */
export function exactMatch(prediction: string, answers: readonly string[]): 0 | 1 {
  if (answers.length === 0) throw new RangeError("Cannot score a prediction without answers");
  const predicted = normaliseAnswer(prediction);
  return answers.some((answer) => normaliseAnswer(answer) === predicted) ? 1 : 0;
}

function wordsOf(text: string): string[] {
  return normaliseAnswer(text).split(" ").filter((word) => word !== "");
}
