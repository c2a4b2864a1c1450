/**
 * Converts losses to commonly compared units.
 *
 * @module
 */

/**
 * The perplexity of a mean loss in nats per token.
 *
 * @example A uniform choice among eight tokens
 * ```ts
 * import { perplexity } from "@qzo/qzo/tasks";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * assertAlmostEquals(perplexity(Math.log(8)), 8);
 * ```
 */
export function perplexity(meanNats: number): number {
  return Math.exp(meanNats);
}

/**
 * Bits per character, which can be compared between tokenizers, unlike the loss per token.
 *
 * @param totalNats Loss summed over the tokens of a text, in nats.
 * @param characters Number of characters of that text.
 * @throws {RangeError} when there are no characters.
 *
 * @example Three bits for each of ten characters
 * ```ts
 * import { bitsPerCharacter } from "@qzo/qzo/tasks";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * assertAlmostEquals(bitsPerCharacter(30 * Math.LN2, 10), 3);
 * ```
 */
export function bitsPerCharacter(totalNats: number, characters: number): number {
  if (!(characters > 0)) throw new RangeError(`Cannot spread a loss over ${characters} characters`);
  return totalNats / Math.LN2 / characters;
}
