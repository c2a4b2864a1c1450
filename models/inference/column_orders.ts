/**
 * Matrices whose columns were reordered so that those that share a scale are adjacent (GPTQ's `desc_act`). The order is stored on the device.
 * Inputs are gathered in that order, once for all matrices that share both input and order.
 *
 * @module
 */

import { gatherColumns, type Gpu, type Graph, Storage, type Value } from "../../kernels/mod.ts";
import type { Hidden } from "../recorder.ts";
import type { TensorSource } from "../checkpoints/checkpoint.ts";

/**
 * Column orders on the device, by the matrices that need them.
 *
 * @example Two matrices in the same order
 * ```ts
 * import { ColumnOrders, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const columnOrder = Uint32Array.from({ length: 128 }, (_, i) => 127 - i);
 * const [one, other] = ["blk.0.attn_q.weight", "blk.0.attn_k.weight"].map((name) => ({
 *   ...source.tensors.get(name)!,
 *   columnOrder,
 * }));
 * assertEquals(new ColumnOrders([one, other]).storages.length, 1);
 * ```
 */
export class ColumnOrders implements Disposable {
  readonly #orders: { readonly order: Uint32Array<ArrayBuffer>; readonly storage: Storage }[] = [];
  readonly #byTensor = new Map<string, Storage>();

  /** The same orders with shared memory, except that the named tensors have none. */
  without(names: Iterable<string>): ColumnOrders {
    const out = new ColumnOrders([]);
    out.#orders.push(...this.#orders);
    const left = new Set(names);
    for (const [name, storage] of this.#byTensor) {
      if (!left.has(name)) out.#byTensor.set(name, storage);
    }
    return out;
  }

  /** The orders of a model's tensors, not yet allocated. Equal orders are stored once. */
  constructor(tensors: Iterable<TensorSource>) {
    for (const { name, columnOrder: order } of tensors) {
      if (!order) continue;
      let known = this.#orders.find((o) => equal(o.order, order));
      if (!known) {
        known = { order, storage: new Storage("column order", order.byteLength, "weights") };
        this.#orders.push(known);
      }
      this.#byTensor.set(name, known.storage);
    }
  }

  /** All orders, without duplicates. */
  get storages(): Storage[] {
    return this.#orders.map(({ storage }) => storage);
  }

  /** Allocates and fills the memory. */
  load(gpu: Gpu): void {
    for (const { order, storage } of this.#orders) {
      gpu.write(storage.allocate(gpu).buffer, order);
    }
  }

  /** A function that returns a matrix's input, gathered in its order if it has one. */
  inputs(graph: Graph): (input: Hidden, tensor: string) => Hidden {
    let last: { input: Hidden; order: Storage; output: Value } | undefined;
    return (input, tensor) => {
      const order = this.#byTensor.get(tensor);
      if (!order) return input;
      if (last?.input !== input || last.order !== order) {
        const { length } = this.#orders.find(({ storage }) => storage === order)!.order;
        last = { input, order, output: gatherColumns({ graph }, input, order, length) };
      }
      return last.output;
    };
  }

  /** Frees the memory. */
  [Symbol.dispose](): void {
    for (const { storage } of this.#orders) storage[Symbol.dispose]();
  }
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
