/**
 * Stores rows in a cache.
 *
 * @module
 */

import type { Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import type { ForwardContext } from "./context.ts";
import source from "./store_rows.wgsl.ts";

/** Attributes of {@linkcode storeRowsOperation}. */
export interface StoreRowsAttributes {
  /** Rows, branches, and the batch with its slots. */
  readonly context: ForwardContext;
  /** The cache, `[B][cacheRows][width]`. */
  readonly cache: Storage;
  /** Elements per row. */
  readonly width: number;
  /** Rows per branch in the cache. */
  readonly cacheRows: number;
  /** Whether a row overwrites the one `cacheRows` before it. Default false: every slot is less than `cacheRows`. */
  readonly rolling?: boolean;
}

/** Input: x. Result: the cache with the rows of x in their slots. */
export const storeRowsOperation: Operation<StoreRowsAttributes, Storage> = {
  name: "store rows",
  record(graph, [x], { context, cache, width, cacheRows, rolling = false }) {
    const { rows, branches, batch, layout } = context;
    const total = branches * rows * width / 4;
    graph.add({
      label: "store rows",
      source,
      key: { ROLLING: rolling },
      reads: { 1: x, 2: batch },
      writes: { 3: cache },
      parameters: [rows, width / 4, total, cacheRows, layout.slots],
      workgroups: Math.ceil(total / 64),
    });
    return cache;
  },
};

/**
 * Copies the keys or values of this forward pass into their slots of a cache with `cacheRows` rows per branch. If it is
 * `rolling`, slots are taken modulo `cacheRows`.
 *
 * @example Keys of a generation
 * ```ts
 * import { batchLayout, Graph, Storage, storeRows } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const cache = new Storage("keys", 2 * 128 * 32 * 4, "activations");
 * storeRows(context, context.graph.value("k", 2 * 4 * 32), cache, 32, 128);
 * assertEquals(context.graph.dispatches.length, 1);
 * ```
 */
export function storeRows(
  context: ForwardContext,
  x: Value,
  cache: Storage,
  width: number,
  cacheRows: number,
  rolling = false,
): void {
  const attributes = { context, cache, width, cacheRows, rolling };
  recordOperation(context.graph, storeRowsOperation, [x], attributes);
}
