/**
 * The gradient of a loss with respect to the offsets of all trained tensors, laid out like the offsets.
 *
 * @module
 */

import type { Gpu } from "../device/gpu.ts";
import type { Graph, Range } from "../device/graph.ts";
import type { Gradients } from "../device/operation.ts";
import { Storage } from "../device/storage.ts";
import type { Trainable } from "../../optim/trainable.ts";
import beginSource from "./begin_gradient.wgsl.ts";
import { gradientProduct } from "./gradient_product.ts";
import zeroSource from "../operations/tangents/zero_tangents.wgsl.ts";

/** The layout of offsets, as far as a gradient has the same. */
interface Arenas {
  readonly trainables: readonly Trainable[];
  readonly arenas: readonly Storage[];
  range(name: string): Range | undefined;
}

/**
 * The memory of a gradient.
 *
 * @example The gradient of one norm, before any is added
 * ```ts
 * import { DeviceTensor, OffsetSet, openGpu, trainableOf } from "@qzo/qzo/kernels";
 * import { tensorId } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * const norm = new DeviceTensor("output_norm.weight", { kind: "dense", type: "f32" }, 1, 64, gpu.maxBinding);
 * using offsets = new OffsetSet([trainableOf(norm, tensorId(norm.name), "absolute", 1)], gpu.maxBinding);
 * const gradients = offsets.gradients.allocate(gpu);
 * assertEquals((await gradients.read(gpu)).get(norm.name), new Float32Array(64));
 * ```
 */
export class GradientSet implements Gradients, Disposable {
  readonly #offsets: Arenas;
  /** One per arena of the offsets. */
  readonly storages: readonly Storage[];

  /** Describes the memory. `allocate` creates it, filled with zeros. */
  constructor(offsets: Arenas) {
    this.#offsets = offsets;
    this.storages = offsets.arenas.map(({ bytes }, i) =>
      new Storage(`gradients ${i}`, bytes, "optimiser")
    );
  }

  /** The gradient for a tensor or a part of one, laid out like its offsets. Undefined if it is not trained. */
  of(name: string): Range | undefined {
    const range = this.#offsets.range(name);
    return range && {
      ...range,
      storage: this.storages[this.#offsets.arenas.indexOf(range.storage)],
    };
  }

  /** Allocates all memory. */
  allocate(gpu: Gpu): this {
    for (const storage of this.storages) storage.allocate(gpu);
    return this;
  }

  /**
   * Records the clearing of all gradients; later gradients are added.
   *
   * @param goesOn One word. If it is not 0, the existing values are kept.
   */
  clear(graph: Graph, goesOn?: Range): void {
    for (const storage of this.storages) {
      const total = storage.bytes / 16;
      if (goesOn) {
        graph.add({
          label: "begin gradients",
          source: beginSource,
          key: {},
          reads: { 1: goesOn },
          writes: { 3: storage },
          parameters: [total],
          workgroups: Math.ceil(total / 64),
        });
      } else {graph.add({
          label: "clear gradients",
          source: zeroSource,
          key: {},
          reads: {},
          writes: { 3: storage },
          parameters: [total, 0],
          workgroups: Math.ceil(total / 64),
        });}
    }
  }

  /** Records the norm of the whole gradient into `result[index]`. */
  norm(graph: Graph, result: Storage, index: number): void {
    const parts = this.storages.map((gradient) => ({ gradient, bytes: gradient.bytes }));
    gradientProduct(graph, parts, { result, index });
  }

  /** Reads the gradients of all tensors, by name. */
  async read(gpu: Gpu): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    const arenas = await gpu.read(this.storages.map(({ buffer }) => ({ buffer })));
    return new Map(this.#offsets.trainables.map(({ name, count }) => {
      const { storage, offset = 0 } = this.of(name)!;
      return [
        name,
        new Float32Array(arenas[this.storages.indexOf(storage)], offset, count).slice(),
      ];
    }));
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    for (const storage of this.storages) storage[Symbol.dispose]();
  }
}
