/**
 * Matrix products on all cores, by workers that share memory with the caller.
 *
 * @module
 */

import type { ProductRequest, Products } from "./computation.ts";
import { type RowProducts, rowProducts, rowProductsText } from "./row_products.ts";
import { textWorker } from "../text_worker.ts";

/** Multiply-adds below which messaging the workers takes longer than computing. */
const LEAST_WORK = 2 ** 21;

/**
 * Computes products in f64 on workers. The rows of `a` are distributed among them, and each product is computed as on
 * one thread, so the bits do not depend on the number of workers. Products are computed on the caller's thread if
 * workers are unavailable, or if matrices are small or not in shared memory (see `sharedFloats`).
 *
 * @example Products of two rows with themselves
 * ```ts
 * import { ProductWorkers } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * using workers = new ProductWorkers(2);
 * const a = { values: Float64Array.of(1, 2, 3, 4), stride: 2, first: 0, count: 2 };
 * const out = new Float64Array(4);
 * await workers.multiply({ a, b: a, from: 0, to: 2, out });
 * assertEquals(out, Float64Array.of(5, 11, 11, 25));
 * ```
 */
export class ProductWorkers implements Products {
  #helpers: Helper[] = [];

  /** Starts `count` workers. */
  constructor(count: number) {
    try {
      for (let i = 0; i < count; i++) this.#helpers.push(new Helper());
    } catch {
      this[Symbol.dispose](); // workers are not allowed or not available
    }
  }

  /** Number of running workers. */
  get count(): number {
    return this.#helpers.length;
  }

  /** Fills `out` of the request. */
  async multiply({ a, b, from, to, out }: ProductRequest): Promise<void> {
    const shared = [a.values, b.values, out].every(({ buffer }) =>
      !(buffer instanceof ArrayBuffer)
    );
    const small = a.count * b.count * (to - from) < LEAST_WORK;
    if (small || !shared || this.count === 0) return rowProducts({ a, b, from, to, out });
    // An even number, because rows are processed in pairs.
    const each = Math.ceil(a.count / this.count / 2) * 2;
    const finished = await Promise.all(this.#helpers.map((helper, i) => {
      const skip = Math.min(a.count, i * each);
      const count = Math.min(each, a.count - skip);
      const rows = { ...a, first: a.first + skip, count };
      const part = out.subarray(skip * b.count, (skip + count) * b.count);
      return count === 0 || helper.multiply({ a: rows, b, from, to, out: part });
    }));
    if (finished.every((it) => it)) return;
    this[Symbol.dispose]();
    rowProducts({ a, b, from, to, out });
  }

  /** Terminates the workers. Later requests are computed on the caller's thread. */
  [Symbol.dispose](): void {
    for (const helper of this.#helpers) helper[Symbol.dispose]();
    this.#helpers = [];
  }
}

/**
 * JavaScript of a worker module that computes the products described in each message, in shared memory, and then
 * replies.
 */
function productWorkerText(): string {
  const { text, name } = rowProductsText();
  return `${text}\nonmessage = ({ data }) => { ${name}(data); postMessage("done"); };\n`;
}

/** A worker, or one that failed: a script that cannot run is reported only later. */
class Helper implements Disposable {
  readonly #worker = textWorker(productWorkerText());
  #broken = false;
  #finish: (done: boolean) => void = () => {};

  constructor() {
    this.#worker.onmessage = () => this.#finish(true);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#broken = true;
      this.#finish(false);
    };
  }

  /** Whether it succeeded. */
  multiply(products: RowProducts): Promise<boolean> {
    if (this.#broken) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#worker.postMessage(products);
    });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
