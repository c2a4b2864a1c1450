/**
 * Memory for intermediate results, shared by several plans. Plans run one after another, so together they need only as
 * much as the largest of them.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import { Storage } from "./storage.ts";

/**
 * Buffers that grow to the needs of the largest graph.
 *
 * @example A smaller graph takes the same buffers
 * ```ts
 * import { ActivationPool, openGpu } from "@qzo/qzo/kernels";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using pool = new ActivationPool(gpu, () => {});
 * const [large] = pool.take([4096, 1024]);
 * const [small] = pool.take([512]);
 * assert(small === large);
 * ```
 */
export class ActivationPool implements Disposable {
  readonly #gpu: Gpu;
  readonly #beforeGrowth: () => void;
  /** Sorted by size, largest first. */
  #storages: Storage[] = [];

  /** `beforeGrowth` is called before the current buffers are replaced; it must free all plans that use them. */
  constructor(gpu: Gpu, beforeGrowth: () => void) {
    this.#gpu = gpu;
    this.#beforeGrowth = beforeGrowth;
  }

  /** Allocated buffers of at least `slots` bytes each, in the same order. */
  take(slots: readonly number[]): Storage[] {
    const order = slots.map((_, slot) => slot).sort((a, b) => slots[b] - slots[a]);
    if (order.some((slot, i) => !(this.#storages[i]?.bytes >= slots[slot]))) {
      this.#beforeGrowth();
      const count = Math.max(slots.length, this.#storages.length);
      const sizes = Array.from(
        { length: count },
        (_, i) => Math.max(this.#storages[i]?.bytes ?? 0, slots[order[i]] ?? 0),
      );
      this[Symbol.dispose]();
      this.#storages = sizes.map((bytes, i) =>
        new Storage(`activation ${i}`, bytes, "activations").allocate(this.#gpu)
      );
    }
    const taken: Storage[] = [];
    order.forEach((slot, i) => taken[slot] = this.#storages[i]);
    return taken;
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    for (const storage of this.#storages) storage[Symbol.dispose]();
    this.#storages = [];
  }
}
