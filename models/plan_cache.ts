/**
 * Plans by batch shape, the least recently used freed first: shapes are few, and a plan holds activations.
 *
 * @module
 */

import type { BatchShape } from "../kernels/mod.ts";

/** Keeps up to `capacity` plans. */
export class PlanCache<Built extends Disposable> implements Disposable {
  readonly #build: (shape: BatchShape) => Built;
  readonly #capacity: number;
  readonly #beforeEvict: (() => void) | undefined;
  readonly #plans = new Map<string, Built>();

  /** `build` makes what is missing; `beforeEvict` submits what still refers to a plan about to be freed. */
  constructor(build: (shape: BatchShape) => Built, capacity = 6, beforeEvict?: () => void) {
    this.#build = build;
    this.#capacity = capacity;
    this.#beforeEvict = beforeEvict;
  }

  /** The plan of a shape, built on first use. */
  get(shape: BatchShape): Built {
    const key = [shape.rows, shape.lossRows, shape.candidates, shape.examples].join(" ");
    const found = this.#plans.get(key);
    if (found) {
      this.#plans.delete(key);
      this.#plans.set(key, found);
      return found;
    }
    while (this.#plans.size >= this.#capacity) {
      this.#beforeEvict?.();
      const [oldest, plan] = this.#plans.entries().next().value!;
      this.#plans.delete(oldest);
      plan[Symbol.dispose]();
    }
    const built = this.#build(shape);
    this.#plans.set(key, built);
    return built;
  }

  /** Frees all plans, after what still refers to one was submitted. */
  clear(): void {
    if (this.#plans.size > 0) this.#beforeEvict?.();
    this[Symbol.dispose]();
  }

  /** Frees all plans. */
  [Symbol.dispose](): void {
    for (const plan of this.#plans.values()) plan[Symbol.dispose]();
    this.#plans.clear();
  }
}
