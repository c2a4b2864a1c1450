/**
 * A forward pass as a list of dispatches over named values. Recording needs no device: it fixes shapes, lets values share a buffer if their lifetimes
 * do not overlap, and computes memory use. `compileGraph` makes a plan of it.
 *
 * @module
 */

import type { ActivationPool } from "./activation_pool.ts";
import { assignSlots, type Lifetime } from "./assign_slots.ts";
import type { ShaderKey } from "./template.ts";
import { Storage } from "./storage.ts";

/** An intermediate result of `words` f32 values. */
export interface Value {
  /** Index among the graph's values. */
  readonly id: number;
  /** Name for messages. */
  readonly label: string;
  /** Size in f32 words. */
  readonly words: number;
}

/** A range of allocated memory to bind. */
export interface Range {
  /** The memory that the range is part of. */
  readonly storage: Storage;
  /** Offset from the start in bytes, a multiple of 256. Default 0. */
  readonly offset?: number;
  /** Number of bytes to bind. Default: the rest. */
  readonly bytes?: number;
}

/** A range of an intermediate result to bind as a uniform buffer. */
export interface ValueRange {
  /** The value that the range is part of. */
  readonly value: Value;
  /** Offset from the start of the value in bytes, a multiple of 256. */
  readonly offset: number;
  /** Number of bytes to bind. If they extend beyond the value, its buffer is made larger. */
  readonly bytes: number;
}

/** What a binding of a dispatch refers to. */
export type Resource = Value | ValueRange | Storage | Range;

/** One dispatch. */
export interface Dispatch {
  /** Name for messages. */
  readonly label: string;
  /** WGSL with template directives. */
  readonly source: string;
  /** Key that selects the variant. */
  readonly key: ShaderKey;
  /** Buffers the shader reads, by binding index. Binding 0 is always the parameter block. */
  readonly reads: Readonly<Record<number, Resource | undefined>>;
  /** Buffers the shader writes, by binding index. A value may be read and written in place. */
  readonly writes: Readonly<Record<number, Resource>>;
  /** Words of the parameter block; floats are given as `{ f32: x }`. */
  readonly parameters: readonly (number | { readonly f32: number })[];
  /** Number of workgroups. Numbers above the device's limit are folded into the y dimension. */
  readonly workgroups: number;
  /** Approximate number of multiply-adds. Default: an estimate from the workgroups. */
  readonly work?: number;
  /** Index of the parameter that the shader adds to a workgroup's index, if there is one. The dispatch can then be split. Recorded as 0. */
  readonly firstGroup?: number;
}

/**
 * The values and dispatches of a computation, with their costs.
 *
 * @example Values whose lifetimes do not overlap share a buffer
 * ```ts
 * import { add, Graph } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const graph = new Graph();
 * let x = graph.value("x", 64);
 * for (let i = 0; i < 3; i++) x = add({ graph }, x, x);
 * assertEquals([graph.dispatches.length, graph.assign([x]).slots.length], [3, 2]);
 * ```
 */
export class Graph {
  /** Dispatches in order of execution. */
  readonly dispatches: Dispatch[] = [];
  readonly #values: Value[] = [];
  #tangents = 0;

  /**
   * Number of tangents recorded with each value (dual numbers): branch 0 is then the value itself, and every other branch is its derivative along
   * that branch's direction. 0 if all branches are values.
   */
  get tangents(): number {
    return this.#tangents;
  }

  /** While `record` runs, records values with `directions` + 1 branches: the value, and one tangent per direction. */
  withTangents<T>(directions: number, record: () => T): T {
    const before = this.#tangents;
    this.#tangents = directions;
    try {
      return record();
    } finally {
      this.#tangents = before;
    }
  }

  /** Adds a value of `words` f32 words. */
  value(label: string, words: number): Value {
    const value = { id: this.#values.length, label, words };
    this.#values.push(value);
    return value;
  }

  /** Appends a dispatch. */
  add(dispatch: Dispatch): void {
    this.dispatches.push(dispatch);
  }

  /**
   * Assigns a buffer to each value. A buffer is free for reuse after the last dispatch that reads or writes its value. Values in `keep` live to the
   * end.
   */
  assign(keep: readonly Value[] = []): { slots: number[]; slotOf: Map<Value, number> } {
    const lastUse = new Map<Value, number>();
    const bytesOf = new Map<Value, number>();
    this.dispatches.forEach((d, i) => {
      for (const r of [...Object.values(d.reads), ...Object.values(d.writes)]) {
        const value = r && valueOf(r);
        if (!r || !value) continue;
        lastUse.set(value, i);
        const end = "value" in r ? r.offset + (r.bytes ?? 0) : 0;
        bytesOf.set(value, Math.max(bytesOf.get(value) ?? value.words * 4, end));
      }
    });
    for (const value of keep) lastUse.set(value, this.dispatches.length);
    const values: Value[] = [];
    const lives: Lifetime[] = [];
    const written = new Set<Value>();
    this.dispatches.forEach((d, first) => {
      for (const r of Object.values(d.writes)) {
        if (!isValue(r) || written.has(r)) continue;
        written.add(r);
        values.push(r);
        lives.push({ bytes: bytesOf.get(r) ?? r.words * 4, first, last: lastUse.get(r)! });
      }
    });
    const { slots, slotOf } = assignSlots(lives);
    return { slots, slotOf: new Map(values.map((value, i) => [value, slotOf[i]])) };
  }

  /** The memory of the values: taken from a pool, or described but not yet allocated. */
  storages(
    keep: readonly Value[] = [],
    pool?: ActivationPool,
  ): { storages: Storage[]; of: (value: Value) => Storage } {
    const { slots, slotOf } = this.assign(keep);
    const storages = pool?.take(slots) ??
      slots.map((bytes, i) => new Storage(`activation ${i}`, bytes, "activations"));
    return {
      storages,
      of: (value) => {
        const slot = slotOf.get(value);
        if (slot === undefined) throw new TypeError(`Value "${value.label}" is never written`);
        return storages[slot];
      },
    };
  }

  /** Total size of the parameter blocks of all dispatches, in bytes. */
  get parameterBytes(): number {
    return this.dispatches.length * PARAMETER_STRIDE;
  }
}

/** Bytes from one parameter block to the next. */
export const PARAMETER_STRIDE = 256;

/** Whether a binding refers to a whole intermediate result. */
export function isValue(resource: Resource): resource is Value {
  return "words" in resource;
}

/** The intermediate result behind a binding, or undefined if it is not one. */
export function valueOf(resource: Resource): Value | undefined {
  return isValue(resource) ? resource : "value" in resource ? resource.value : undefined;
}
