/**
 * Slopes of a loss by the offsets of all trained tensors, laid out as the offsets are.
 *
 * @module
 */

import type { Gpu } from "../device/gpu.ts";
import type { Graph, Range } from "../device/graph.ts";
import type { Gradients } from "../device/operation.ts";
import { Storage } from "../device/storage.ts";
import type { Trainable } from "../../optim/trainable.ts";
import zeroSource from "../operations/tangents/zero_tangents.wgsl.ts";

/** Offsets, as far as a gradient has their layout. */
interface Arenas {
  readonly trainables: readonly Trainable[];
  readonly arenas: readonly Storage[];
  range(name: string): Range | undefined;
}

/** Memory of a gradient. */
export class GradientSet implements Gradients, Disposable {
  readonly #offsets: Arenas;
  /** As the offsets' arenas. */
  readonly storages: readonly Storage[];

  /** Describes the memory; `allocate` makes it, zeroed. */
  constructor(offsets: Arenas) {
    this.#offsets = offsets;
    this.storages = offsets.arenas.map(({ bytes }, i) =>
      new Storage(`gradients ${i}`, bytes, "optimiser")
    );
  }

  /** Those of a tensor or a part of it, laid out as its offsets; undefined where it is not trained. */
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

  /** Records zeros everywhere: what is found is added. */
  clear(graph: Graph): void {
    for (const storage of this.storages) {
      const total = storage.bytes / 16;
      graph.add({
        label: "clear gradients",
        source: zeroSource,
        key: {},
        reads: {},
        writes: { 3: storage },
        parameters: [total, 0],
        workgroups: Math.ceil(total / 64),
      });
    }
  }

  /** Copies the slopes of all tensors back, by name. */
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
