/**
 * Converts losses to commonly compared units.
 *
 * @module
 */

/** The perplexity of a mean loss in nats per token. */
export function perplexity(meanNats: number): number {
  return Math.exp(meanNats);
}

/**
 * Bits per character, which can be compared between tokenizers, unlike the loss per token.
 *
 * @param totalNats Loss summed over the tokens of a text, in nats.
 * @param characters Number of characters of that text.
 * @throws {RangeError} when there are no characters.
 */
export function bitsPerCharacter(totalNats: number, characters: number): number {
  if (!(characters > 0)) throw new RangeError(`Cannot spread a loss over ${characters} characters`);
  return totalNats / Math.LN2 / characters;
}
