/**
 * Rows into a cache.
 *
 * @module
 */

import type { Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import type { ForwardContext } from "./context.ts";
import source from "./store_rows.wgsl.ts";

/** What {@linkcode storeRowsOperation} takes. */
export interface StoreRowsAttributes {
  /** Rows, branches, the batch with its slots. */
  readonly context: ForwardContext;
  /** `[B][cacheRows][width]`. */
  readonly cache: Storage;
  /** Values of a row. */
  readonly width: number;
  /** Rows of a branch in the cache. */
  readonly cacheRows: number;
  /** Whether later rows take the places of those `cacheRows` before them. Default false: every slot is below `cacheRows`. */
  readonly rolling?: boolean;
}

/** x to a cache that has its rows in their slots. */
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

/** Copies this forward's keys or values into their slots of a cache of `cacheRows` rows a branch, modulo those where it is `rolling`. */
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
