/**
 * Threefry-2x32 with 13 rounds, a counter-based generator: random words are a pure function of key and counter. Any element of a direction can
 * therefore be computed anywhere and in any order, from integer additions and rotations alone.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), and its implementation Random123.
 *
 * @module
 */

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const rounds = 13;

/**
 * Two u32 words for a key and a counter of two u32 words each.
 *
 * @example The published answer for zeros
 * ```ts
 * import { threefry2x32 } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(threefry2x32([0, 0], [0, 0]), [0x9d1c5ec6, 0x8bd50731]);
 * ```
 */
export function threefry2x32(
  key: readonly [number, number],
  counter: readonly [number, number],
): [number, number] {
  const k = [key[0], key[1], 0x1bd11bda ^ key[0] ^ key[1]];
  let a = (counter[0] + k[0]) | 0;
  let b = (counter[1] + k[1]) | 0;
  for (let round = 0; round < rounds; round++) {
    const r = rotations[round & 7];
    a = (a + b) | 0;
    b = ((b << r) | (b >>> (32 - r))) ^ a;
    if ((round & 3) === 3) {
      const injection = (round + 1) >> 2;
      a = (a + k[injection % 3]) | 0;
      b = (b + k[(injection + 1) % 3] + injection) | 0;
    }
  }
  return [a >>> 0, b >>> 0];
}
