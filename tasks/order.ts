/**
 * Determines which examples a step takes, from seed and step alone, so that resuming needs no state.
 *
 * @module
 */
import { permutation } from "./permutation.ts";

/**
 * Which examples are in the smaller batch of an epoch, if the examples do not fill all batches. `"random"`: all take turns in random order, so
 * that over many epochs all examples have equal weight. `"longest"`: the longest of the examples sorted together last, as in runs from before
 * 2026-12. These are the same examples in every epoch, and they have more weight, because a step has the same weight whatever the size of its
 * batch.
 */
export type LeftOver = "random" | "longest";

/** Options of {@linkcode batchOrder}. */
export interface BatchOrderOptions {
  /** Number of examples in the data set, 1 to 2^21. */
  readonly count: number;
  /** Examples per step. If they do not divide evenly, one step of an epoch takes the remainder. */
  readonly batchSize: number;
  /** Seed, any safe integer of at least 0. Default 0. */
  readonly seed?: number;
  /** Length of each example. If given, each batch contains examples of similar length, so that few batch shapes occur. */
  readonly lengths?: readonly number[];
  /** Number of batches whose examples are sorted by length together. More make batches more uniform and less random. Default 32. */
  readonly pool?: number;
  /** Which examples are in the smaller batch. Default `"random"`, which is the only possibility without lengths. */
  readonly leftOver?: LeftOver | undefined;
}

/** Determines the examples of each step. */
export interface BatchOrder {
  /** Number of steps in which every example is taken once. */
  readonly stepsPerEpoch: number;
  /**
   * Returns the indices of a step's examples, from 0.
   *
   * @throws {RangeError} for an invalid step.
   */
  batch(step: number): number[];
}

/**
 * A seeded order of examples: every example once per epoch, in a different order in every epoch.
 *
 * @throws {RangeError} for options out of range.
 * @throws {TypeError} when the numbers of lengths and examples differ.
 *
 * @example Two epochs of five
 * ```ts
 * import { batchOrder } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const order = batchOrder({ count: 5, batchSize: 2, seed: 3 });
 * assertEquals(order.stepsPerEpoch, 3);
 * for (const first of [0, 3]) {
 *   const epoch = [0, 1, 2].flatMap((step) => order.batch(first + step));
 *   assertEquals(epoch.toSorted(), [0, 1, 2, 3, 4]);
 * }
 * ```
 */
export function batchOrder(options: BatchOrderOptions): BatchOrder {
  const { count, batchSize, seed = 0, lengths, pool = 32, leftOver = "random" } = options;
  for (const [name, value] of Object.entries({ count, batchSize, pool })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(
        `Cannot order batches: ${name} is ${value}, expected an integer of at least 1`,
      );
    }
  }
  if (leftOver !== "random" && leftOver !== "longest") {
    throw new RangeError(
      `Cannot order batches: leftOver is ${JSON.stringify(leftOver)}, expected random or longest`,
    );
  }
  if (lengths !== undefined && lengths.length !== count) {
    throw new TypeError(`Cannot order batches: ${lengths.length} lengths for ${count} examples`);
  }
  const stepsPerEpoch = Math.ceil(count / batchSize);
  const epochOf = (epoch: number): number[][] => {
    const order = permutation(count, seed, "epoch", epoch);
    if (lengths === undefined) return chunks(order, batchSize);
    const left = leftOver === "longest" ? [] : turnOf(count, count % batchSize, seed, epoch);
    const taken = new Set(left);
    const rest = order.filter((index) => !taken.has(index));
    const byLength = chunks(rest, batchSize * pool).flatMap((part) =>
      chunks(part.sort((a, b) => lengths[a] - lengths[b]), batchSize)
    );
    byLength.push(...chunks(left, batchSize));
    return permutation(byLength.length, seed, "batches", epoch).map((index) => byLength[index]);
  };
  let cached = { epoch: 0, batches: epochOf(0) };
  return {
    stepsPerEpoch,
    batch(step: number): number[] {
      if (!Number.isInteger(step) || step < 0) {
        throw new RangeError(`Cannot order batches: step ${step} is not an integer of at least 0`);
      }
      const epoch = Math.floor(step / stepsPerEpoch);
      if (cached.epoch !== epoch) cached = { epoch, batches: epochOf(epoch) };
      return [...cached.batches[step % stepsPerEpoch]];
    },
  };
}

/** The `size` examples that are left over in an epoch. All examples are left over equally often before a new round begins. */
function turnOf(count: number, size: number, seed: number, epoch: number): number[] {
  if (size === 0) return [];
  let [divisor, rest] = [count, size];
  while (rest > 0) [divisor, rest] = [rest, divisor % rest];
  const epochs = count / divisor;
  const order = permutation(count, seed, "left over", Math.floor(epoch / epochs));
  const first = epoch % epochs * size;
  return Array.from({ length: size }, (_, i) => order[(first + i) % count]);
}

function chunks(items: readonly number[], size: number): number[][] {
  const parts: number[][] = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}
