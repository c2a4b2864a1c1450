/**
 * Caches plans by batch shape. The least recently used is freed first, because there are few shapes and each plan holds activations.
 *
 * @module
 */

import type { BatchShape } from "../../kernels/mod.ts";

/** Options of a cache of plans. */
export interface PlanCacheOptions<Built> {
  /** Maximum number of plans. Default 6. */
  readonly capacity?: number;
  /** Called before a plan is freed, to submit work that still refers to it. */
  readonly beforeEvict?: () => void;
  /** Whether a plan should be rebuilt, because its dispatches are far from the size that is allowed now. */
  readonly isStale?: (built: Built) => boolean;
}

/** Caches up to `capacity` plans. */
export class PlanCache<Built extends Disposable> implements Disposable {
  readonly #build: (shape: BatchShape) => Built;
  readonly #capacity: number;
  readonly #beforeEvict: (() => void) | undefined;
  readonly #isStale: ((built: Built) => boolean) | undefined;
  readonly #plans = new Map<string, Built>();

  /** Creates an empty cache. `build` builds missing plans. */
  constructor(
    build: (shape: BatchShape) => Built,
    { capacity = 6, beforeEvict, isStale }: PlanCacheOptions<Built> = {},
  ) {
    this.#build = build;
    this.#capacity = capacity;
    this.#beforeEvict = beforeEvict;
    this.#isStale = isStale;
  }

  /** The plan of a shape, built on first use. */
  get(shape: BatchShape): Built {
    const key = keyOf(shape);
    const found = this.#plans.get(key);
    if (found) {
      this.#plans.delete(key);
      if (!this.#isStale?.(found)) {
        this.#plans.set(key, found);
        return found;
      }
      this.#beforeEvict?.();
      found[Symbol.dispose]();
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

  /** Frees all plans, after submitting work that still refers to one. */
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

function keyOf({ rows, lossRows, candidates, examples, second }: BatchShape): string {
  return [rows, lossRows, candidates, examples, ...second ? [keyOf(second)] : []].join(" ");
}
