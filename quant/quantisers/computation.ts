/**
 * Algorithms that let the caller decide where their large matrix products are computed: on this thread, on workers, or
 * on a GPU.
 *
 * @module
 */

import { type RowProducts, rowProducts } from "./row_products.ts";

/** Products that an algorithm needs before it can continue. */
export interface ProductRequest extends RowProducts {
  /** Whether f64 precision is required. */
  readonly exact?: boolean;
  /**
   * Columns of `a` that changed since the last request with these rows, `[first, end)`. Default: all columns of the
   * sum.
   */
  readonly changed?: readonly [number, number];
}

/**
 * An algorithm that yields requests for products. The caller must have filled a request's `out` before it resumes the
 * algorithm. From time to time the algorithm yields undefined to let other tasks run, so that a signal is handled
 * within a second.
 */
export type Computation<T> = Generator<ProductRequest | undefined, T, void>;

/** Computes products for an algorithm. */
export interface Products extends Disposable {
  /** Fills `out` of the request. */
  multiply(request: ProductRequest): Promise<void>;
}

/** Runs a computation on this thread. */
export function runHere<T>(computation: Computation<T>): T {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
    if (step.value) rowProducts(step.value);
  }
}

/** Computes products on the current thread. */
export const PRODUCTS_HERE: Products = {
  multiply: (request) => Promise.resolve(rowProducts(request)),
  [Symbol.dispose]() {},
};

/** Milliseconds after which other tasks get a turn. */
const TURN = 100;

/**
 * Runs a computation, with its products computed by `products`, and regularly yields to timers and signals.
 *
 * @param signal Aborts the computation at its next yield.
 *
 * @example GPTQ on all cores
 * ```ts
 * import { gptqComputation, gptqQuantize, ProductWorkers, runWith } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const n = 64;
 * const moments = new Float32Array(n * n).map((_, i) => Math.floor(i / n) === i % n ? 1 : 0.9);
 * const statistics = { columns: n, tokens: 100, moments, magnitudes: new Float32Array(n).fill(0.8) };
 * const values = Float32Array.from({ length: 2 * n }, (_, i) => Math.sin(i * i));
 * using workers = new ProductWorkers(2);
 * const packed = await runWith(gptqComputation(statistics)(values, 2, n, "int4_g32"), workers);
 * assertEquals(packed, gptqQuantize(values, 2, n, "int4_g32", statistics));
 * ```
 */
export async function runWith<T>(
  computation: Computation<T>,
  products: Products,
  signal?: AbortSignal,
): Promise<T> {
  let last = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    const step = computation.next();
    if (step.done) return step.value;
    if (step.value) await products.multiply(step.value);
    if (performance.now() - last < TURN) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  }
}

/** Wraps a function that needs no products as a computation. */
export function* withoutProducts<T>(compute: () => T): Computation<T> {
  yield* [];
  return compute();
}

/** An array of zeros, in memory shared with workers if the runtime supports it. */
export function sharedFloats(count: number): Float64Array {
  return typeof SharedArrayBuffer === "undefined"
    ? new Float64Array(count)
    : new Float64Array(new SharedArrayBuffer(count * 8));
}
