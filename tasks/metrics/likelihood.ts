/**
 * Losses in the units that people compare.
 *
 * @module
 */

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
