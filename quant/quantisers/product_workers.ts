/**
 * Products on all cores: workers that share memory with the caller.
 *
 * @module
 */

import type { ProductRequest, Products } from "./computation.ts";
import { type RowProducts, rowProducts, rowProductsText } from "./row_products.ts";
import { textWorker } from "../text_worker.ts";

/** Multiply-adds below which telling workers takes longer than computing. */
const LEAST_WORK = 2 ** 21;

/**
 * Computes products in f64 on workers, as many as there are cores to use. Rows of `a` are dealt out among them; every
 * product is computed as on one thread, so the bits do not depend on how many there are. Where workers cannot be had, matrices are
 * not in shared memory (see `sharedFloats`) or small, products are computed on the caller's thread.
 */
export class ProductWorkers implements Products {
  #helpers: Helper[] = [];

  /** Starts the workers. */
  constructor(count: number) {
    try {
      for (let i = 0; i < count; i++) this.#helpers.push(new Helper());
    } catch {
      this[Symbol.dispose](); // not allowed, or no workers here
    }
  }

  /** Workers at work. */
  get count(): number {
    return this.#helpers.length;
  }

  /** Fills `out`. */
  async multiply({ a, b, from, to, out }: ProductRequest): Promise<void> {
    const shared = [a.values, b.values, out].every(({ buffer }) =>
      !(buffer instanceof ArrayBuffer)
    );
    const small = a.count * b.count * (to - from) < LEAST_WORK;
    if (small || !shared || this.count === 0) return rowProducts({ a, b, from, to, out });
    // Even, as rows are taken in twos.
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

  /** Ends the workers; what is asked for later is computed on the caller's thread. */
  [Symbol.dispose](): void {
    for (const helper of this.#helpers) helper[Symbol.dispose]();
    this.#helpers = [];
  }
}

/** JavaScript of a module that computes the products that it is told of in shared memory, then says so. */
function productWorkerText(): string {
  const { text, name } = rowProductsText();
  return `${text}\nonmessage = ({ data }) => { ${name}(data); postMessage("done"); };\n`;
}

/** A worker, or one that broke: text that cannot be run is only told of later. */
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

  /** Whether it could. */
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
