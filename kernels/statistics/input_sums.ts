/**
 * Sums over the rows of a value, accumulated on the device over several batches. Calibration collects them for the
 * inputs of linear layers.
 *
 * @module
 */

import type { Gpu } from "../device/gpu.ts";
import type { Graph, Value } from "../device/graph.ts";
import { Storage } from "../device/storage.ts";
import absoluteSums from "./absolute_sums.wgsl.ts";
import secondMoments from "./second_moments.wgsl.ts";

/** Columns and rows of the sums computed by one workgroup. */
const TILE = 64;

/**
 * `sum x xᵀ` and `sum |x|` over rows x of `columns` values, a multiple of 4. Zero when allocated.
 *
 * @example One row
 * ```ts
 * import { compileGraph, Graph, InputSums, openGpu, SHADER_LIBRARY, Storage, submitPlanInTurns } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using x = new Storage("x", 16, "scratch").allocate(gpu);
 * using used = new Storage("used", 16, "scratch").allocate(gpu);
 * gpu.write(x.buffer, Float32Array.of(1, -2, 3, 0));
 * gpu.write(used.buffer, Uint32Array.of(1));
 * using sums = new InputSums(4, gpu.maxBinding).allocate(gpu);
 * const graph = new Graph();
 * sums.record(graph, x, used);
 * using plan = compileGraph(gpu, graph, SHADER_LIBRARY);
 * await submitPlanInTurns(gpu, plan);
 * assertEquals((await sums.read(gpu)).absolute, Float32Array.of(1, 2, 3, 0));
 * ```
 */
export class InputSums implements Disposable {
  /** Values per row. */
  readonly columns: number;
  readonly #pieces: { readonly first: number; readonly rows: number; readonly sums: Storage }[] =
    [];
  readonly #absolute: Storage;

  /**
   * Describes the memory. Nothing is allocated yet.
   *
   * @param maxBinding The most bytes that one binding can cover.
   * @throws {RangeError} when the columns are not a multiple of 4, or 64 rows of the sums exceed a binding.
   */
  constructor(columns: number, maxBinding: number) {
    const perPiece = Math.floor(maxBinding / (columns * 4) / TILE) * TILE;
    if (!(columns > 0) || columns % 4 !== 0 || perPiece === 0) {
      throw new RangeError(
        `Cannot sum the moments of ${columns} columns: expected a multiple of 4, of which ${TILE} rows fit a binding of ${maxBinding} bytes`,
      );
    }
    this.columns = columns;
    this.#absolute = new Storage("absolute sums", columns * 4, "scratch");
    for (let first = 0; first < columns; first += perPiece) {
      const rows = Math.min(perPiece, columns - first);
      this.#pieces.push({
        first,
        rows,
        sums: new Storage(`second moments from ${first}`, rows * columns * 4, "scratch"),
      });
    }
  }

  /** Allocates the memory; later calls do nothing. Returns itself. */
  allocate(gpu: Gpu): this {
    for (const { sums } of this.#pieces) sums.allocate(gpu);
    this.#absolute.allocate(gpu);
    return this;
  }

  /**
   * Records the addition of the first rows of a value.
   *
   * @param x Value `[rows][columns]`.
   * @param used One word: the number of rows to add.
   */
  record(graph: Graph, x: Value | Storage, used: Storage): void {
    const quads = this.columns / 4;
    const tiles = Math.ceil(this.columns / TILE);
    for (const { first, rows, sums } of this.#pieces) {
      graph.add({
        label: "second moments",
        source: secondMoments,
        key: {},
        reads: { 1: x, 2: used },
        writes: { 3: sums },
        parameters: [quads, first, rows, tiles],
        workgroups: tiles * Math.ceil(rows / TILE),
      });
    }
    graph.add({
      label: "absolute sums",
      source: absoluteSums,
      key: {},
      reads: { 1: x, 2: used },
      writes: { 3: this.#absolute },
      parameters: [quads],
      workgroups: Math.ceil(quads / 64),
    });
  }

  /** Reads the sums. `moments` includes both triangles: row-major `columns x columns`. */
  async read(gpu: Gpu): Promise<{ moments: Float32Array; absolute: Float32Array }> {
    const { columns } = this;
    const absolute = await gpu.readFloats(this.#absolute.buffer, columns);
    const moments = new Float32Array(columns * columns);
    for (const { first, rows, sums } of this.#pieces) {
      moments.set(await gpu.readFloats(sums.buffer, rows * columns), first * columns);
    }
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < i; j++) moments[i * columns + j] = moments[j * columns + i];
    }
    return { moments, absolute };
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    for (const { sums } of this.#pieces) sums[Symbol.dispose]();
    this.#absolute[Symbol.dispose]();
  }
}
