/**
 * A random word as one of so many numbers.
 *
 * @module
 */

/** `floor(word * count / 2^32)` for a word of 32 bits and a count of at most 2^36: in halves, as the product may have more than 53 bits. */
export function scaledWord(word: number, count: number): number {
  const low = Math.floor((word & 0xffff) * count / 0x10000);
  return Math.floor(((word >>> 16) * count + low) / 0x10000);
}
