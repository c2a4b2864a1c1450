/**
 * Converts a random word to a number in a range.
 *
 * @module
 */

/** `floor(word * count / 2^32)` for a 32-bit word and a count of at most 2^36. Computed in halves, because the product may exceed 53 bits. */
export function scaledWord(word: number, count: number): number {
  const low = Math.floor((word & 0xffff) * count / 0x10000);
  return Math.floor(((word >>> 16) * count + low) / 0x10000);
}
