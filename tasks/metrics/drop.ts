/**
 * DROP's own metric (Dua et al. 2019): answers of several parts, of which each meets one at most, and numbers that must be met.
 *
 * @module
 */

/** What DROP's script gives for an answer. */
export interface DropScores {
  /** Mean over the parts of the F1 of their words, to two places. */
  readonly f1: number;
  /** Whether the parts are the same. */
  readonly exactMatch: 0 | 1;
}

/**
 * A prediction against the right answers, each a list of parts (`["10 yards", "12 yards"]`), by DROP's script: parts are compared in lower case, without
 * punctuation and articles, words with hyphens as several, numbers by their value; each part of the prediction is set against one of the answer's,
 * as it suits best; a part with numbers is met by one that shares a number. The best over the answers.
 *
 * @param prediction a text, or the parts of one.
 * @throws RangeError if there are no answers.
 *
 * @example A number is met or missed, and half of a list is half
 * ```ts
 * import { dropScores } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(dropScores("10 yards", [["12 yards"]]).f1, 0);
 * assertEquals(dropScores("10.0", [["10"]]), { f1: 1, exactMatch: 1 });
 * assertEquals(dropScores("the Bears", [["Bears", "Lions"]]), { f1: 0.5, exactMatch: 0 });
 * ```
 */
export function dropScores(
  prediction: string | readonly string[],
  answers: readonly (readonly string[])[],
): DropScores {
  if (answers.length === 0) throw new RangeError("Cannot score a prediction without answers");
  const predicted = bagsOf(typeof prediction === "string" ? [prediction] : prediction);
  let [f1, match]: [number, 0 | 1] = [0, 0];
  for (const answer of answers) {
    if ((answer[0] ?? "").trim() === "") continue;
    const expected = bagsOf(answer);
    f1 = Math.max(f1, alignedF1(predicted, expected));
    if (sameParts(predicted, expected)) match = 1;
  }
  return { f1, exactMatch: match };
}

/** A part in DROP's normal form, and its words. */
interface Bag {
  readonly text: string;
  readonly words: ReadonlySet<string>;
}

function bagsOf(parts: readonly string[]): Bag[] {
  return parts.map((part) => {
    const text = normalised(part);
    return { text, words: new Set(text.split(/\s+/).filter((word) => word !== "")) };
  });
}

function normalised(part: string): string {
  return part.split(/[ -]/).map((token) => {
    const lower = token.toLowerCase();
    const bare = numberOf(lower) === undefined ? lower.replace(/[!-/:-@[-`{-~]/g, "") : lower;
    const value = numberOf(bare);
    return (value === undefined ? bare : pythonFloat(value))
      .replace(/(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu, " ")
      .split(/\s+/).filter((word) => word !== "").join(" ");
  }).filter((token) => token !== "").join(" ");
}

/** A word as a number, as Python's `float` takes it: no hexadecimal, digits apart by single low lines. */
function numberOf(word: string): number | undefined {
  const text = word.trim();
  const digits = "\\d+(?:_\\d+)*";
  const pattern = `^[+-]?(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:e[+-]?${digits})?$`;
  if (new RegExp(pattern, "i").test(text)) return Number(text.replaceAll("_", ""));
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (special === null) return undefined;
  return special[2].toLowerCase() === "nan" ? NaN : special[1] === "-" ? -Infinity : Infinity;
}

/** A spelling that is one for each number, and a number itself. */
function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value);
}

function sameParts(predicted: readonly Bag[], expected: readonly Bag[]): boolean {
  const [one, other] = [predicted, expected].map((bags) => new Set(bags.map(({ text }) => text)));
  return predicted.length === expected.length && one.size === other.size &&
    [...one].every((text) => other.has(text));
}

/** The mean of the parts' F1 under the best assignment, over the longer list, to two places. */
function alignedF1(predicted: readonly Bag[], expected: readonly Bag[]): number {
  const [short, long] = predicted.length <= expected.length
    ? [predicted, expected]
    : [expected, predicted];
  const scores = short.map((a) =>
    long.map((b) => short === predicted ? partF1(a, b) : partF1(b, a))
  );
  return twoPlaces(bestSum(scores) / long.length);
}

/** To two places, halves to the even one. */
function twoPlaces(share: number): number {
  const cents = share * 100;
  const below = Math.floor(cents);
  const even = cents - below === 0.5 ? below + below % 2 : Math.round(cents);
  return even / 100;
}

function partF1(predicted: Bag, expected: Bag): number {
  const numbers = [...expected.words].filter((word) => numberOf(word) !== undefined);
  if (numbers.length > 0 && !numbers.some((word) => predicted.words.has(word))) return 0;
  const shared = [...expected.words].filter((word) => predicted.words.has(word)).length;
  const precision = predicted.words.size === 0 ? 1 : shared / predicted.words.size;
  const recall = expected.words.size === 0 ? 1 : shared / expected.words.size;
  return precision + recall === 0 ? 0 : 2 * precision * recall / (precision + recall);
}

/**
 * The largest sum of scores when each row takes a column of its own (no more rows than columns): the Hungarian algorithm with potentials, of
 * time rows² × columns.
 */
function bestSum(scores: readonly (readonly number[])[]): number {
  const rows = scores.length;
  if (rows === 0) return 0;
  const columns = scores[0].length;
  const ofRow = new Float64Array(rows + 1);
  const ofColumn = new Float64Array(columns + 1);
  /** Which row has a column, counted from 1; column 0 holds the row that is placed. */
  const taken = new Int32Array(columns + 1);
  const before = new Int32Array(columns + 1);
  for (let row = 1; row <= rows; row++) {
    taken[0] = row;
    let column = 0;
    const slack = new Float64Array(columns + 1).fill(Infinity);
    const seen = new Uint8Array(columns + 1);
    do {
      seen[column] = 1;
      const from = taken[column];
      let [step, next] = [Infinity, 0];
      for (let c = 1; c <= columns; c++) {
        if (seen[c]) continue;
        const rest = -scores[from - 1][c - 1] - ofRow[from] - ofColumn[c];
        if (rest < slack[c]) [slack[c], before[c]] = [rest, column];
        if (slack[c] < step) [step, next] = [slack[c], c];
      }
      for (let c = 0; c <= columns; c++) {
        if (seen[c]) {
          ofRow[taken[c]] += step;
          ofColumn[c] -= step;
        } else slack[c] -= step;
      }
      column = next;
    } while (taken[column] !== 0);
    while (column !== 0) {
      taken[column] = taken[before[column]];
      column = before[column];
    }
  }
  let sum = 0;
  for (let c = 1; c <= columns; c++) if (taken[c] > 0) sum += scores[taken[c] - 1][c - 1];
  return sum;
}
