/**
 * Seeded parts of a data set: disjoint splits, subsamples, and k examples per class.
 *
 * @module
 */
import { permutation } from "./permutation.ts";
import type { Split } from "./task.ts";

/** Options of {@linkcode splitExamples}. */
export interface SplitOptions extends Readonly<Partial<Record<Split, number>>> {
  /** Seed, any safe integer of at least 0. Default 0. */
  readonly seed?: number;
}

/**
 * Disjoint parts of the given sizes, in seeded random order. A part without a size is empty.
 *
 * @throws {RangeError} when the sizes add up to more than there are items.
 *
 * @example Disjoint parts
 * ```ts
 * import { splitExamples } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const parts = splitExamples([1, 2, 3, 4, 5], { train: 3, dev: 2, seed: 1 });
 * assertEquals([...parts.train, ...parts.dev].toSorted(), [1, 2, 3, 4, 5]);
 * assertEquals(parts.test, []);
 * ```
 */
export function splitExamples<T>(items: readonly T[], options: SplitOptions): Record<Split, T[]> {
  const { train = 0, dev = 0, test = 0, seed = 0 } = options;
  for (const [name, size] of Object.entries({ train, dev, test })) {
    if (!Number.isInteger(size) || size < 0) {
      throw new RangeError(
        `Cannot split examples: ${name} is ${size}, expected an integer of at least 0`,
      );
    }
  }
  if (train + dev + test > items.length) {
    throw new RangeError(
      `Cannot split examples: ${train} + ${dev} + ${test} requested, but there are only ${items.length}`,
    );
  }
  const order = permutation(items.length, seed, "split").map((index) => items[index]);
  return {
    train: order.slice(0, train),
    dev: order.slice(train, train + dev),
    test: order.slice(train + dev, train + dev + test),
  };
}

/**
 * A seeded random sample without replacement. If there are no more than `count` items, all of them in random order.
 *
 * @throws {RangeError} when the count is not an integer of at least 0.
 *
 * @example Three of five
 * ```ts
 * import { subsample } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Set(subsample(["a", "b", "c", "d", "e"], 3, 42)).size, 3);
 * ```
 */
export function subsample<T>(items: readonly T[], count: number, seed = 0): T[] {
  return splitExamples(items, { train: Math.min(count, items.length), seed }).train;
}

/**
 * `k` examples of every class, in seeded random order.
 *
 * @param labelOf Returns the class of an item.
 * @throws {RangeError} when a class has fewer.
 *
 * @example One example per class
 * ```ts
 * import { kShot } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const items = [{ label: 0 }, { label: 0 }, { label: 1 }, { label: 1 }];
 * assertEquals(kShot(items, (item) => item.label, 1).map((item) => item.label).toSorted(), [0, 1]);
 * ```
 */
export function kShot<T>(
  items: readonly T[],
  labelOf: (item: T) => number | string,
  k: number,
  seed = 0,
): T[] {
  if (!Number.isInteger(k) || k < 1) {
    throw new RangeError(`Cannot take ${k} examples per class: expected an integer of at least 1`);
  }
  const taken = new Map<number | string, number>();
  const sample: T[] = [];
  for (const item of subsample(items, items.length, seed)) {
    const label = labelOf(item);
    const count = taken.get(label) ?? 0;
    taken.set(label, count + 1);
    if (count < k) sample.push(item);
  }
  for (const [label, count] of taken) {
    if (count < k) {
      throw new RangeError(
        `Cannot take ${k} examples per class: class ${JSON.stringify(label)} has only ${count}`,
      );
    }
  }
  return sample;
}
