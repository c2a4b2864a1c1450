/**
 * Matrices whose columns were put into another order, so that those that share a scale are neighbours (GPTQ's `desc_act`): the order
 * lies on the device, and inputs are gathered in it, once for all the matrices that share both.
 *
 * @module
 */

import { gatherColumns, type Gpu, type Graph, Storage, type Value } from "../../kernels/mod.ts";
import type { Hidden } from "../recorder.ts";
import type { TensorSource } from "../checkpoints/checkpoint.ts";

/** Orders on the device by the matrices that need them. */
export class ColumnOrders implements Disposable {
  readonly #orders: { readonly order: Uint32Array<ArrayBuffer>; readonly storage: Storage }[] = [];
  readonly #byTensor = new Map<string, Storage>();

  /** The same, shared, but for tensors that have none here. */
  without(names: Iterable<string>): ColumnOrders {
    const out = new ColumnOrders([]);
    out.#orders.push(...this.#orders);
    const left = new Set(names);
    for (const [name, storage] of this.#byTensor) {
      if (!left.has(name)) out.#byTensor.set(name, storage);
    }
    return out;
  }

  /** Those of a model's tensors, not allocated; equal orders are one. */
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

  /** All of them, each once. */
  get storages(): Storage[] {
    return this.#orders.map(({ storage }) => storage);
  }

  /** Allocates and fills. */
  load(gpu: Gpu): void {
    for (const { order, storage } of this.#orders) {
      gpu.write(storage.allocate(gpu).buffer, order);
    }
  }

  /** The function that gives a matrix its input: as it is, or gathered. */
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

  /** Frees them. */
  [Symbol.dispose](): void {
    for (const { storage } of this.#orders) storage[Symbol.dispose]();
  }
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
