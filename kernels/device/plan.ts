/**
 * A graph compiled for a device: pipelines and bind groups are created once, and every later forward pass only replays them.
 *
 * @module
 */

import type { ActivationPool } from "./activation_pool.ts";
import type { Gpu, GpuBuffer } from "./gpu.ts";
import {
  type Dispatch,
  type Graph,
  isValue,
  PARAMETER_STRIDE,
  type Range,
  type Value,
} from "./graph.ts";
import type { PipelineCache } from "./pipeline.ts";
import { Storage } from "./storage.ts";
import type { ShaderLibrary } from "./template.ts";

/** Estimated multiply-adds per workgroup, for dispatches that do not give a number. */
const WORK_OF_A_GROUP = 1024;

/** One dispatch as sent to the device: a whole dispatch of the graph, or a run of its workgroups. */
interface DispatchPart {
  /** Index of the dispatch in the graph. */
  readonly index: number;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly work: number;
}

/**
 * A compiled graph, executed by `encode`.
 *
 * @example In a pass of one's own
 * ```ts
 * import { compileGraph, gatherColumns, Graph, openGpu, SHADER_LIBRARY, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using x = new Storage("x", 16, "scratch").allocate(gpu);
 * using order = new Storage("order", 16, "scratch").allocate(gpu);
 * gpu.write(x.buffer, Float32Array.of(10, 20, 30, 40));
 * const graph = new Graph();
 * const y = gatherColumns({ graph }, x, order, 4);
 * using plan = compileGraph(gpu, graph, SHADER_LIBRARY, [y]);
 * const encoder = gpu.device.createCommandEncoder();
 * const pass = encoder.beginComputePass();
 * plan.encode(pass);
 * pass.end();
 * gpu.device.queue.submit([encoder.finish()]);
 * assertEquals(await gpu.readFloats(plan.buffer(y)), Float32Array.of(10, 10, 10, 10));
 * ```
 */
export class Plan implements Disposable {
  readonly #parts: readonly DispatchPart[];
  readonly #pipelines: PipelineCache;
  readonly #owned: Disposable[];
  readonly #of: (value: Value) => Storage;
  /** Number of dispatches in the graph. */
  readonly dispatches: number;
  /** Approximate multiply-adds of the largest dispatch that is sent and could be split. */
  readonly largest: number;
  /** Whether any dispatch of the graph is sent as several. */
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

  /** Number of dispatches sent to the device. */
  get parts(): number {
    return this.#parts.length;
  }

  /** The buffer of a value that was kept. */
  buffer(value: Value): GpuBuffer {
    return this.#of(value).buffer;
  }

  /** Encodes all dispatches into `pass`. */
  encode(pass: GPUComputePassEncoder): void {
    for (const part of this.#parts) {
      this.#pipelines.runs(part.pipeline);
      encodePart(pass, part);
    }
  }

  /**
   * Encodes parts from `first` on until `work` multiply-adds are reached, at least one part. A part that is compiled when it runs is encoded alone.
   * Returns the next part, the number of multiply-adds encoded, and whether a part will be compiled.
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

  /** Encodes one dispatch of the graph by index, so that it can be timed on its own. */
  encodeOne(pass: GPUComputePassEncoder, index: number): void {
    for (const part of this.#parts) if (part.index === index) encodePart(pass, part);
  }

  /** Frees the buffers that belong to the plan. */
  [Symbol.dispose](): void {
    for (const owned of this.#owned) owned[Symbol.dispose]();
  }
}

function encodePart(pass: GPUComputePassEncoder, part: DispatchPart): void {
  pass.setPipeline(part.pipeline);
  pass.setBindGroup(0, part.group);
  pass.dispatchWorkgroups(part.x, part.y);
}

/** Splits a dispatch's workgroups into runs of at most `most` multiply-adds and `limit` workgroups. A dispatch that is folded cannot be split. */
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
 * Allocates a graph's values, compiles its pipelines and creates its bind groups.
 *
 * @param keep Values whose buffers are read after the run.
 * @param pool Pool that provides the values' memory. Default: buffers that belong to the plan.
 *
 * @example Squares, by a shader of one's own
 * ```ts
 * import { compileGraph, Graph, openGpu, Storage, submitPlanInTurns } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const source = `
 * @group(0) @binding(1) var<storage, read> x: array<f32>;
 * @group(0) @binding(2) var<storage, read_write> y: array<f32>;
 * @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
 *   y[id.x] = x[id.x] * x[id.x];
 * }`;
 * using gpu = await openGpu();
 * using x = new Storage("x", 16, "scratch").allocate(gpu);
 * gpu.write(x.buffer, Float32Array.of(1, 2, 3, 4));
 * const graph = new Graph();
 * const y = graph.value("squares", 4);
 * graph.add({ label: "square", source, key: {}, reads: { 1: x }, writes: { 2: y }, parameters: [], workgroups: 1 });
 * using plan = compileGraph(gpu, graph, {}, [y]);
 * await submitPlanInTurns(gpu, plan);
 * assertEquals(await gpu.readFloats(plan.buffer(y)), Float32Array.of(1, 4, 9, 16));
 * ```
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
