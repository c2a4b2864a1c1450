/**
 * Columns of a value in another order: the input of a matrix whose columns were reordered when it was quantised.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import source from "./gather_columns.wgsl.ts";

/**
 * `y[row][j] = x[row][order[j]]` for rows of `columns`, a multiple of 4.
 *
 * @param order `columns` words, each below `columns`
 */
export function gatherColumns(
  { graph }: { readonly graph: Graph },
  x: Value,
  order: Storage,
  columns: number,
): Value {
  const y = graph.value("gathered", x.words);
  const total = x.words / 4;
  graph.add({
    label: "gather columns",
    source,
    key: {},
    reads: { 1: x, 2: order },
    writes: { 3: y },
    parameters: [total, columns / 4],
    workgroups: Math.ceil(total / 64),
  });
  return y;
}
