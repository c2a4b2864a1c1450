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
import beginSource from "./begin_gradient.wgsl.ts";
import normSource from "./gradient_norm.wgsl.ts";
import zeroSource from "../operations/tangents/zero_tangents.wgsl.ts";

/** Workgroups that share the norm of an arena at most. */
const MOST_PARTIALS = 256;

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

  /**
   * Records zeros everywhere: what is found is added.
   *
   * @param goesOn A word: where it is not 0, what is there stays
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

  /** Records the norm over all slopes into `result[index]`. */
  norm(graph: Graph, result: Storage, index: number): void {
    const counts = this.storages.map(({ bytes }) =>
      Math.min(MOST_PARTIALS, Math.ceil(bytes / 16 / 64))
    );
    const all = counts.reduce((sum, count) => sum + count, 0);
    const partials = graph.value("partial norms", all);
    let first = 0;
    this.storages.forEach((storage, i) => {
      graph.add({
        label: "partial norms",
        source: normSource,
        key: { LAST: false },
        reads: { 1: storage },
        writes: { 3: partials },
        parameters: [storage.bytes / 16, first],
        workgroups: counts[i],
      });
      first += counts[i];
    });
    graph.add({
      label: "gradient norm",
      source: normSource,
      key: { LAST: true },
      reads: { 1: partials },
      writes: { 3: result },
      parameters: [all, index],
      workgroups: 1,
    });
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
