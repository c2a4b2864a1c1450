/**
 * Which examples a step takes: a function of seed and step alone, so resuming needs no state.
 *
 * @module
 */
import { permutation } from "./permutation.ts";

/**
 * Who is in the smaller batch of an epoch whose examples do not fill their batches. `"random"`: all take turns in random order, so that
 * over epochs all examples weigh alike. `"longest"`: the longest of those that are sorted together last, as runs from before 2026-12 had it:
 * the same ones in every epoch, who weigh more, for a step weighs as much whatever its batch holds.
 */
export type LeftOver = "random" | "longest";

/** Options of {@linkcode batchOrder}. */
export interface BatchOrderOptions {
  /** Examples in the data set, 1 to 2^21. */
  readonly count: number;
  /** Examples a step; one step of an epoch takes what is left, if anything is. */
  readonly batchSize: number;
  /** Any safe integer of at least 0. Default 0. */
  readonly seed?: number;
  /** Length of each example. If given, batches hold similar lengths, which keeps the batch shapes few. */
  readonly lengths?: readonly number[];
  /** Batches that are sorted by length together; more make batches more even and less random. Default 32. */
  readonly pool?: number;
  /** Who is in the smaller batch. Default `"random"`; without lengths there is no other. */
  readonly leftOver?: LeftOver | undefined;
}

/** Which examples a step takes. */
export interface BatchOrder {
  /** Steps until every example was taken once. */
  readonly stepsPerEpoch: number;
  /** Indices of the examples of a step, counted from 0; a RangeError for what is no step. */
  batch(step: number): number[];
}

/**
 * A seeded order of examples: every example once an epoch, every epoch in another order.
 *
 * @throws RangeError for options out of range, TypeError if there are not as many lengths as examples.
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

/** Who is left over in an epoch, `size` of them: after enough epochs everyone was as often, then a new turn begins. */
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
