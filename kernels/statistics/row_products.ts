/**
 * Dot products of the rows of two matrices, computed on the device for algorithms that run on the host.
 *
 * @module
 */

import type { ProductRequest, Products } from "../../quant/quantisers/computation.ts";
import type { RowsOf } from "../../quant/quantisers/row_products.ts";
import type { Gpu } from "../device/gpu.ts";
import { Graph } from "../device/graph.ts";
import { compileGraph } from "../device/plan.ts";
import { submitPlan } from "../device/submit_plan.ts";
import { SHADER_LIBRARY } from "../shader_library.ts";
import { Storage } from "../device/storage.ts";
import rowProducts from "./row_products.wgsl.ts";

/** Rows of each factor per workgroup. */
const TILE = 64;
/** Rows of b, and columns of a, in host memory at one time. */
const AT_ONCE = 512;

/** Rows of a factor that stays on the device, stored by columns. */
interface HeldRows {
  readonly first: number;
  readonly count: number;
  /** Values per column: `count`, rounded up to a multiple of 4. */
  readonly padded: number;
  readonly storage: Storage;
}

/**
 * Computes products in f32. The rows of `a` stay on the device from one request to the next (4 bytes per value), so an
 * algorithm that changes a few columns at a time uploads only those. The rows of `b` are not kept.
 *
 * @example Products of two rows with themselves
 * ```ts
 * import { DeviceProducts, openGpu } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using products = new DeviceProducts(gpu);
 * const a = { values: Float64Array.of(1, 2, 3, 4), stride: 2, first: 0, count: 2 };
 * const out = new Float64Array(4);
 * await products.multiply({ a, b: a, from: 0, to: 2, out });
 * assertEquals(out, Float64Array.of(5, 11, 11, 25));
 * ```
 */
export class DeviceProducts implements Products {
  readonly #gpu: Gpu;
  readonly #maxBinding: number;
  #held: { readonly rows: RowsOf; readonly pieces: readonly HeldRows[] } | undefined;

  /**
   * Nothing is allocated yet.
   *
   * @param maxBinding The most bytes that one binding can cover. Default: the device's limit.
   */
  constructor(gpu: Gpu, maxBinding: number = gpu.maxBinding) {
    this.#gpu = gpu;
    this.#maxBinding = maxBinding;
  }

  /**
   * Fills `out` of the request.
   *
   * @throws {RangeError} when 64 rows of `a` exceed a binding.
   */
  async multiply({ a, b, from, to, out, changed }: ProductRequest): Promise<void> {
    const known = this.#held && sameRows(this.#held.rows, a);
    const pieces = known ? this.#held!.pieces : this.#hold(a);
    const [first, end] = known && changed ? changed : [from, to];
    for (let k = first; k < end; k += AT_ONCE) {
      const columns = Math.min(AT_ONCE, end - k);
      for (const piece of pieces) {
        const rows = { ...a, first: a.first + piece.first, count: piece.count };
        const bytes = byColumns(rows, k, columns, piece.padded);
        this.#gpu.write(piece.storage.buffer, bytes, k * piece.padded * 4);
      }
    }
    for (let j = 0; j < b.count; j += AT_ONCE) {
      const rows = { ...b, first: b.first + j, count: Math.min(AT_ONCE, b.count - j) };
      await this.#multiply(pieces, rows, from, to, (piece, values, padded) => {
        for (let i = 0; i < piece.count; i++) {
          const line = values.subarray(i * padded, i * padded + rows.count);
          out.set(line, (piece.first + i) * b.count + j);
        }
      });
    }
  }

  /** Frees the memory. */
  [Symbol.dispose](): void {
    for (const { storage } of this.#held?.pieces ?? []) storage[Symbol.dispose]();
    this.#held = undefined;
  }

  #hold(rows: RowsOf): readonly HeldRows[] {
    this[Symbol.dispose]();
    const maxBinding = this.#maxBinding;
    const most = Math.floor(maxBinding / (rows.stride * 4) / TILE) * TILE;
    if (most === 0) {
      throw new RangeError(
        `Cannot multiply rows of ${rows.stride} values: ${TILE} of them exceed a binding of ${maxBinding} bytes`,
      );
    }
    const pieces: HeldRows[] = [];
    for (let first = 0; first < rows.count; first += most) {
      const count = Math.min(most, rows.count - first);
      const padded = Math.ceil(count / 4) * 4;
      const storage = new Storage(`rows from ${first}`, padded * rows.stride * 4, "scratch");
      pieces.push({ first, count, padded, storage: storage.allocate(this.#gpu) });
    }
    this.#held = { rows, pieces };
    return pieces;
  }

  async #multiply(
    pieces: readonly HeldRows[],
    b: RowsOf,
    from: number,
    to: number,
    take: (piece: HeldRows, values: Float32Array, padded: number) => void,
  ): Promise<void> {
    const gpu = this.#gpu;
    const padded = Math.ceil(b.count / 4) * 4;
    using owned = new DisposableStack();
    const factor = owned.use(new Storage("factor", (to - from) * padded * 4, "scratch"));
    factor.allocate(gpu);
    for (let k = from; k < to; k += AT_ONCE) {
      const bytes = byColumns(b, k, Math.min(AT_ONCE, to - k), padded);
      gpu.write(factor.buffer, bytes, (k - from) * padded * 4);
    }
    const graph = new Graph();
    const tiles = Math.ceil(padded / TILE);
    const results = pieces.map((piece) => {
      const bytes = piece.padded * padded * 4;
      const products = owned.use(new Storage("row products", bytes, "scratch")).allocate(gpu);
      graph.add({
        label: "row products",
        source: rowProducts,
        key: {},
        reads: { 1: piece.storage, 2: factor },
        writes: { 3: products },
        parameters: [piece.padded / 4, padded / 4, from, to, tiles],
        workgroups: tiles * Math.ceil(piece.padded / TILE),
      });
      return products;
    });
    const plan = owned.use(compileGraph(gpu, graph, SHADER_LIBRARY));
    submitPlan(gpu, plan);
    const read = await gpu.read(results.map(({ buffer }) => ({ buffer })));
    pieces.forEach((piece, i) => take(piece, new Float32Array(read[i]), padded));
  }
}

function sameRows(a: RowsOf, b: RowsOf): boolean {
  return a.values === b.values && a.first === b.first && a.count === b.count &&
    a.stride === b.stride;
}

/** Values `[columns][padded]` of the columns from `first` on. */
function byColumns(
  { values, stride, first: row, count }: RowsOf,
  first: number,
  columns: number,
  padded: number,
): Float32Array<ArrayBuffer> {
  const turned = new Float32Array(columns * padded);
  // Eight columns at a time, so that each step reads one cache line and writes eight.
  for (let k = 0; k < columns; k += 8) {
    const width = Math.min(8, columns - k);
    for (let i = 0; i < count; i++) {
      const at = (row + i) * stride + first + k;
      for (let c = 0; c < width; c++) turned[(k + c) * padded + i] = values[at + c];
    }
  }
  return turned;
}
