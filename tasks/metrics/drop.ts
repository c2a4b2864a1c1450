/**
 * DROP's own metric (Dua et al. 2019): answers can have several parts, which are matched one to one, and numbers must agree.
 *
 * @module
 */

/** The scores of DROP's script for an answer. */
export interface DropScores {
  /** Mean F1 of the words over all parts, rounded to two decimal places. */
  readonly f1: number;
  /** 1 if the parts are the same, otherwise 0. */
  readonly exactMatch: 0 | 1;
}

/**
 * Compares a prediction with the correct answers by DROP's script; each is a list of parts (`["10 yards", "12 yards"]`). Parts are compared in
 * lower case, without punctuation and articles, with hyphenated words split and numbers compared by value. Each part of the prediction is
 * matched with at most one part of the answer, in the best possible way. A part with numbers matches only a part with a number in common. The
 * result is the best over the answers.
 *
 * @param prediction A text, or the parts of one.
 * @throws {RangeError} when there are no answers.
 *
 * @example Numbers must match, and half of a list gives half the score
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

/** A part in DROP's normal form, with its words. */
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

/** A word as a number, as Python's `float` parses it: not hexadecimal, and digits may be separated by single underscores. */
function numberOf(word: string): number | undefined {
  const text = word.trim();
  const digits = "\\d+(?:_\\d+)*";
  const pattern = `^[+-]?(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:e[+-]?${digits})?$`;
  if (new RegExp(pattern, "i").test(text)) return Number(text.replaceAll("_", ""));
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (special === null) return undefined;
  return special[2].toLowerCase() === "nan" ? NaN : special[1] === "-" ? -Infinity : Infinity;
}

/** A canonical text for each number, which parses to the same number. */
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

/** The mean F1 of the parts under the best matching, over the longer list, rounded to two decimal places. */
function alignedF1(predicted: readonly Bag[], expected: readonly Bag[]): number {
  const [short, long] = predicted.length <= expected.length
    ? [predicted, expected]
    : [expected, predicted];
  const scores = short.map((a) =>
    long.map((b) => short === predicted ? partF1(a, b) : partF1(b, a))
  );
  return twoPlaces(bestSum(scores) / long.length);
}

/** Rounds to two decimal places, ties to even. */
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
 * The greatest sum of scores when each row is assigned a different column (no more rows than columns), by the Hungarian algorithm with
 * potentials. Takes time rows² × columns.
 */
function bestSum(scores: readonly (readonly number[])[]): number {
  const rows = scores.length;
  if (rows === 0) return 0;
  const columns = scores[0].length;
  const ofRow = new Float64Array(rows + 1);
  const ofColumn = new Float64Array(columns + 1);
  /** The row assigned to each column, from 1; column 0 holds the row being placed. */
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
