/**
 * Seeded permutations, made by the generator that also makes the noise, so that an order is the same on every machine.
 *
 * @module
 */
import { masterSeed } from "../optim/directions/seed.ts";
import { threefry2x32 } from "../optim/directions/threefry.ts";
import { scaledWord } from "./scaled_word.ts";

/** Separates these random numbers from those that the optimiser draws from the same seed. */
const domain = 0x20000000;

/** The purpose of a permutation. Different purposes of one seed give unrelated permutations. */
export type PermutationUse = "split" | "epoch" | "batches" | "left over" | "mask";

const uses: Readonly<Record<PermutationUse, number>> = {
  split: 0,
  epoch: 1,
  batches: 2,
  "left over": 3,
  mask: 4,
};

/**
 * The numbers 0 to `count - 1` in random order (Fisher-Yates), determined by the arguments alone.
 *
 * @param seed Any safe integer of at least 0.
 * @param round Distinguishes permutations with the same purpose, such as those of epochs. Less than 2^26.
 * @throws {RangeError} for arguments out of range.
 *
 * @example The same order every time
 * ```ts
 * import { permutation } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const order = permutation(10, 7, "epoch", 0);
 * assertEquals(permutation(10, 7, "epoch", 0), order);
 * assertEquals(order.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
 * ```
 */
export function permutation(count: number, seed: number, use: PermutationUse, round = 0): number[] {
  if (!Number.isInteger(count) || count < 0 || count > 2 ** 28) {
    throw new RangeError(`Cannot permute ${count} items: expected an integer from 0 to 2^28`);
  }
  if (!Number.isInteger(round) || round < 0 || round >= 2 ** 26) {
    throw new RangeError(`Cannot permute items: round ${round} is not an integer below 2^26`);
  }
  const key = masterSeed(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const [word] = threefry2x32(key, [i, domain | (uses[use] << 26) | round]);
    const j = scaledWord(word, i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
