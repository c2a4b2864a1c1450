/**
 * A forward as a list of dispatches over named values. Recording needs no device: it fixes shapes, lets buffers be shared
 * by values that do not live at the same time, and prices the memory. `compile` makes pipelines and bind groups once;
 * after that a forward is only replayed.
 *
 * @module
 */

import type { ActivationPool } from "./activation_pool.ts";
import type { Gpu, GpuBuffer } from "./gpu.ts";
import type { PipelineCache } from "./pipeline.ts";
import type { ShaderKey, ShaderLibrary } from "./template.ts";
import { Storage } from "./storage.ts";

/** An intermediate result: `words` f32 values. */
export interface Value {
  /** Its place among the graph's values. */
  readonly id: number;
  /** For messages. */
  readonly label: string;
  /** f32 words. */
  readonly words: number;
}

/** A range of allocated memory to bind. */
export interface Range {
  /** What the range is of. */
  readonly storage: Storage;
  /** Bytes from the start; a multiple of 256. Default: 0. */
  readonly offset?: number;
  /** Bytes to bind. Default: the rest. */
  readonly bytes?: number;
}

/** A range of an intermediate result to bind as a uniform. */
export interface ValueRange {
  /** What the range is of. */
  readonly value: Value;
  /** Bytes from its start; a multiple of 256. */
  readonly offset: number;
  /** Bytes to bind; they may reach beyond the value, whose buffer is then as much larger. */
  readonly bytes: number;
}

/** What a binding of a dispatch refers to. */
export type Resource = Value | ValueRange | Storage | Range;

/** One dispatch. */
export interface Dispatch {
  /** For messages. */
  readonly label: string;
  /** WGSL with directives. */
  readonly source: string;
  /** What selects the variant. */
  readonly key: ShaderKey;
  /** Bindings by index; binding 0 is always the parameter block. */
  readonly reads: Readonly<Record<number, Resource | undefined>>;
  /** Bindings the shader writes; a value may be read and written in place. */
  readonly writes: Readonly<Record<number, Resource>>;
  /** Uniform words of binding 0; floats are given as `{ f32: x }`. */
  readonly parameters: readonly (number | { readonly f32: number })[];
  /** Number of workgroups; above the device's limit they are folded into y. */
  readonly workgroups: number;
  /** Multiply-adds, about; default: a guess by the workgroups. */
  readonly work?: number;
  /** Which parameter the shader adds to a workgroup's number, if it has one: then the dispatch may be split. Recorded as 0. */
  readonly firstGroup?: number;
}

/** Values, dispatches and what they cost. */
export class Graph {
  /** In order. */
  readonly dispatches: Dispatch[] = [];
  readonly #values: Value[] = [];
  #tangents = 0;

  /**
   * How many tangents what is recorded has beside each value (dual numbers): branch 0 is then the value itself, each other branch its
   * derivative along that branch's direction. 0 where branches are values each.
   */
  get tangents(): number {
    return this.#tangents;
  }

  /** Records values of `directions` + 1 branches, with their tangents along so many directions, while `record` runs. */
  withTangents<T>(directions: number, record: () => T): T {
    const before = this.#tangents;
    this.#tangents = directions;
    try {
      return record();
    } finally {
      this.#tangents = before;
    }
  }

  /** A new value of `words` f32 words. */
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
   * Which buffer each value lives in. A buffer is free again after the last dispatch that reads or writes its value.
   * `keep` live to the end.
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
    const slots: number[] = [];
    const slotOf = new Map<Value, number>();
    const free: number[] = [];
    // By the dispatch after which they are free: logits of many rows come in thousands of pieces.
    const ending = new Map<number, number[]>();
    this.dispatches.forEach((d, i) => {
      for (const r of Object.values(d.writes)) {
        if (!isValue(r) || slotOf.has(r)) continue;
        const slot = takeSlot(slots, free, bytesOf.get(r) ?? r.words * 4);
        slotOf.set(r, slot);
        const last = lastUse.get(r)!;
        const others = ending.get(last);
        if (others) others.push(slot);
        else ending.set(last, [slot]);
      }
      free.push(...ending.get(i) ?? []);
    });
    return { slots, slotOf };
  }

  /** The memory of the values: a pool's, or described and not yet allocated. */
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

  /** Bytes of the parameter blocks of all dispatches. */
  get parameterBytes(): number {
    return this.dispatches.length * PARAMETER_STRIDE;
  }
}

const PARAMETER_STRIDE = 256;

function isValue(resource: Resource): resource is Value {
  return "words" in resource;
}

/** The intermediate result that a binding is of, if it is of one. */
export function valueOf(resource: Resource): Value | undefined {
  return isValue(resource) ? resource : "value" in resource ? resource.value : undefined;
}

function takeSlot(slots: number[], free: number[], bytes: number): number {
  let best = -1;
  for (let i = 0; i < free.length; i++) {
    const size = slots[free[i]];
    if (size < bytes) continue;
    if (best < 0 || size < slots[free[best]]) best = i;
  }
  // No free buffer is large enough: let the largest free one grow, which costs less than a new one.
  if (best < 0 && free.length > 0) {
    best = free.reduce((b, slot, i) => slots[slot] > slots[free[b]] ? i : b, 0);
    slots[free[best]] = bytes;
  }
  if (best >= 0) return free.splice(best, 1)[0];
  slots.push(bytes);
  return slots.length - 1;
}

/** What a dispatch without a number of multiply-adds is taken for, by workgroup. */
const WORK_OF_A_GROUP = 1024;

/** What is sent to the device as one dispatch: one of the graph's, or a run of its workgroups. */
interface DispatchPart {
  /** Of the graph's dispatches. */
  readonly index: number;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly work: number;
}

/** A compiled graph: replayed by `encode`. */
export class Plan implements Disposable {
  readonly #parts: readonly DispatchPart[];
  readonly #pipelines: PipelineCache;
  readonly #owned: Disposable[];
  readonly #of: (value: Value) => Storage;
  /** Number of dispatches of its graph. */
  readonly dispatches: number;
  /** Multiply-adds of the largest dispatch that is sent and can be split, about. */
  readonly largest: number;
  /** Whether a dispatch of the graph is sent as several. */
  readonly isSplit: boolean;

  /** Made by `compileGraph`. */
  constructor(
    parts: readonly DispatchPart[],
    dispatches: number,
    largest: number,
    owned: Disposable[],
    of: (value: Value) => Storage,
    pipelines: PipelineCache,
  ) {
    this.#parts = parts;
    this.#pipelines = pipelines;
    this.dispatches = dispatches;
    this.largest = largest;
    this.isSplit = parts.length > dispatches;
    this.#owned = owned;
    this.#of = of;
  }

  /** Number of dispatches that are sent. */
  get parts(): number {
    return this.#parts.length;
  }

  /** The buffer that a kept value lives in. */
  buffer(value: Value): GpuBuffer {
    return this.#of(value).buffer;
  }

  /** Records all dispatches into `pass`. */
  encode(pass: GPUComputePassEncoder): void {
    for (const part of this.#parts) {
      this.#pipelines.runs(part.pipeline);
      encodePart(pass, part);
    }
  }

  /**
   * Records from part `first` on until `work` multiply-adds are reached, at least one part; one that is compiled when it runs is recorded alone. Returns
   * where to go on, how many multiply-adds were recorded, and whether a part is compiled.
   */
  encodeWithin(
    pass: GPUComputePassEncoder,
    first: number,
    work: number,
  ): { readonly next: number; readonly work: number; readonly compiles: boolean } {
    let sum = 0;
    let next = first;
    let compiles = false;
    const fits = (part: DispatchPart) => sum + part.work <= work && !this.compiles(next);
    while (!compiles && next < this.#parts.length) {
      const part = this.#parts[next];
      if (next > first && !fits(part)) break;
      encodePart(pass, part);
      sum += part.work;
      compiles = this.#pipelines.runs(part.pipeline);
      next++;
    }
    return { next, work: sum, compiles };
  }

  /** Whether part `at` will be compiled when it runs. */
  compiles(at: number): boolean {
    return at < this.#parts.length && this.#pipelines.isCold(this.#parts[at].pipeline);
  }

  /** Records one dispatch, by its place in the graph: for measuring each on its own. */
  encodeOne(pass: GPUComputePassEncoder, index: number): void {
    for (const part of this.#parts) if (part.index === index) encodePart(pass, part);
  }

  /** Frees the plan's own buffers. */
  [Symbol.dispose](): void {
    for (const owned of this.#owned) owned[Symbol.dispose]();
  }
}

function encodePart(pass: GPUComputePassEncoder, part: DispatchPart): void {
  pass.setPipeline(part.pipeline);
  pass.setBindGroup(0, part.group);
  pass.dispatchWorkgroups(part.x, part.y);
}

/** A dispatch's workgroups in runs of at most `most` multiply-adds and `limit` workgroups: one that folds cannot be split. */
function runsOf(
  { workgroups, work, firstGroup }: Dispatch,
  most: number,
  limit: number,
): { readonly first: number; readonly count: number }[] {
  const each = (work ?? workgroups * WORK_OF_A_GROUP) / workgroups;
  const atMost = Math.max(1, Math.min(limit, Math.floor(most / each)));
  if (firstGroup === undefined || workgroups <= atMost || each * workgroups <= most) {
    return [{ first: 0, count: workgroups }];
  }
  const runs = Math.ceil(workgroups / atMost);
  const count = Math.ceil(workgroups / runs);
  return Array.from({ length: Math.ceil(workgroups / count) }, (_, i) => ({
    first: i * count,
    count: Math.min(count, workgroups - i * count),
  }));
}

/**
 * Allocates a graph's values, compiles its pipelines and builds its bind groups.
 *
 * @param keep Values whose buffers are read after the run
 * @param pool Where its values live; without, in buffers of the plan's own
 */
export function compileGraph(
  gpu: Gpu,
  graph: Graph,
  library: ShaderLibrary,
  keep: readonly Value[] = [],
  pool?: ActivationPool,
): Plan {
  const { storages, of } = graph.storages(keep, pool);
  for (const storage of storages) storage.allocate(gpu);
  const limit = gpu.limits.maxComputeWorkgroupsPerDimension;
  const runs = graph.dispatches.map((d) => runsOf(d, gpu.pacing.dispatchWork, limit));
  const blocks = runs.reduce((sum, it) => sum + it.length, 0);
  const parameters = gpu.buffer(
    "parameters",
    Math.max(1, blocks) * PARAMETER_STRIDE,
    "scratch",
    GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  );
  const block = new DataView(new ArrayBuffer(parameters.size));
  let used = 0;
  let largest = 0;
  const parts = graph.dispatches.flatMap((d, index) => {
    const pipeline = gpu.pipelines.variant(d.label, d.source, d.key, library);
    const entries: GPUBindGroupEntry[] = [];
    for (const [binding, r] of [...Object.entries(d.reads), ...Object.entries(d.writes)]) {
      if (!r) continue;
      const range: Range = "value" in r
        ? { storage: of(r.value), offset: r.offset, bytes: r.bytes }
        : isValue(r)
        ? { storage: of(r), bytes: Math.max(16, r.words * 4) }
        : r instanceof Storage
        ? { storage: r }
        : r;
      entries.push({
        binding: Number(binding),
        resource: {
          buffer: range.storage.buffer.buffer,
          offset: range.offset ?? 0,
          ...(range.bytes === undefined ? {} : { size: Math.ceil(range.bytes / 4) * 4 }),
        },
      });
    }
    const each = (d.work ?? d.workgroups * WORK_OF_A_GROUP) / d.workgroups;
    return runs[index].map(({ first, count }): DispatchPart => {
      const at = used++ * PARAMETER_STRIDE;
      d.parameters.forEach((word, j) => {
        if (typeof word !== "number") block.setFloat32(at + j * 4, word.f32, true);
        else block.setUint32(at + j * 4, j === d.firstGroup ? first : word, true);
      });
      const own: GPUBindGroupEntry = {
        binding: 0,
        resource: { buffer: parameters.buffer, offset: at, size: PARAMETER_STRIDE },
      };
      const group = gpu.device.createBindGroup({
        label: d.label,
        layout: pipeline.getBindGroupLayout(0),
        entries: d.parameters.length > 0 ? [own, ...entries] : entries,
      });
      const x = Math.min(count, limit);
      if (d.firstGroup !== undefined) largest = Math.max(largest, each * count);
      return { index, pipeline, group, x, y: Math.ceil(count / x), work: each * count };
    });
  });
  gpu.write(parameters, block.buffer);
  const owned = [...pool ? [] : storages, parameters];
  return new Plan(parts, runs.length, largest, owned, of, gpu.pipelines);
}
