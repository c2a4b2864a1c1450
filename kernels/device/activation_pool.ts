/**
 * Memory of intermediate results that several plans share: they run one after the other, so together they need what the largest
 * needs.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import { Storage } from "./storage.ts";

/** Buffers that grow to what the largest graph needs. */
export class ActivationPool implements Disposable {
  readonly #gpu: Gpu;
  readonly #beforeGrowth: () => void;
  /** The largest first. */
  #storages: Storage[] = [];

  /** `beforeGrowth` frees all plans that use the buffers there are: they are about to be replaced. */
  constructor(gpu: Gpu, beforeGrowth: () => void) {
    this.#gpu = gpu;
    this.#beforeGrowth = beforeGrowth;
  }

  /** Allocated buffers of at least `slots` bytes each, in that order. */
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
