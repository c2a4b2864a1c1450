/**
 * The adjoint of attention: one kernel for queries and one for keys, so that no two invocations add to the same element of a gradient.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Operand } from "../../device/operation.ts";
import type { ForwardContext } from "../context.ts";
import keySource from "./key_adjoint.wgsl.ts";
import querySource from "./query_adjoint.wgsl.ts";
import seenSource from "./seen_rows.wgsl.ts";

const WORKGROUP = 32;

/** Heads wider than this use a loop, because unrolled ones take long to compile on lavapipe: 22 s for 512, 117 s for 1024. Common are 64 to 256. */
const WIDEST_UNROLLED_HEAD = 256;

/** Whether attention and its adjoint loop over the elements of a head, with their sums in the memory of the result. */
export function isLooped(headDimension: number): boolean {
  return headDimension > WIDEST_UNROLLED_HEAD;
}

/** Attention over the keys of the same forward pass. */
export interface AttentionOf {
  /** Rows, and the batch that says which rows attend to which. */
  readonly context: ForwardContext;
  /** Number of query heads. */
  readonly heads: number;
  /** Number of key and value heads. */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Maximum number of keys that a row attends to. Default: all before it. */
  readonly window?: number | undefined;
  /** Factor for the products of queries and keys. Default: 1 / sqrt(`headDimension`). */
  readonly scale?: number | undefined;
  /** Soft limit of scores. Default: none. */
  readonly cap?: number | undefined;
  /** Number of keys after those of the batch's rows to which all rows attend. Default 0. */
  readonly sharedKeys?: number;
}

/** Records the gradients with respect to q, k and v. */
export function attentionAdjoint(
  graph: Graph,
  [q, k, v]: readonly Operand[],
  found: Value,
  slope: Value,
  attention: AttentionOf,
): Value[] {
  const { context, heads, keyValueHeads, headDimension, window, cap, sharedKeys = 0 } = attention;
  const { rows, batch, layout } = context;
  const { scale = 1 / Math.sqrt(headDimension) } = attention;
  const keyRows = rows + sharedKeys;
  const byQueries = graph.value("slopes by queries", rows * heads * headDimension);
  const byKeys = graph.value("slopes by keys", keyRows * keyValueHeads * headDimension);
  const byValues = graph.value("slopes by values", keyRows * keyValueHeads * headDimension);
  const stats = graph.value("attention statistics", rows * heads * 2);
  const seen = graph.value("rows that see a key", keyRows * 2);
  const windowed = { WINDOWED: window !== undefined, SHARED: sharedKeys > 0 };
  const key = {
    QUADS: headDimension / 4,
    WORKGROUP,
    LOOPED: isLooped(headDimension),
    ...windowed,
    CAPPED: cap !== undefined,
  };
  const parameters = (total: number, capped = cap) => [
    rows,
    total,
    heads,
    keyValueHeads,
    rows,
    layout.prefixStart,
    layout.prefixEnd,
    layout.ownStart,
    layout.slots,
    { f32: scale },
    0,
    ...(window === undefined ? [] : [window]),
    ...(capped === undefined ? [] : [{ f32: capped }]),
    ...(sharedKeys > 0 ? [sharedKeys] : []),
  ];
  const work = rows * heads * headDimension * 3 * Math.min(keyRows, window ?? Infinity);
  graph.add({
    label: "query adjoint",
    source: querySource,
    key,
    reads: { 1: q, 2: k, 4: v, 5: batch, 6: slope, 7: found },
    writes: { 3: byQueries, 8: stats },
    parameters: parameters(rows * heads),
    firstGroup: 10,
    work,
    workgroups: Math.ceil(rows * heads / WORKGROUP),
  });
  graph.add({
    label: "rows that see a key",
    source: seenSource,
    key: { ...windowed, CAPPED: false },
    reads: { 5: batch },
    writes: { 3: seen },
    parameters: parameters(keyRows, undefined),
    work: keyRows * rows,
    workgroups: Math.ceil(keyRows / 64),
  });
  graph.add({
    label: "key adjoint",
    source: keySource,
    key,
    reads: { 1: q, 2: k, 4: v, 5: batch, 6: slope, 8: stats, 9: seen },
    writes: { 3: byKeys, 7: byValues },
    parameters: parameters(keyRows * keyValueHeads),
    firstGroup: 10,
    work,
    workgroups: Math.ceil(keyRows * keyValueHeads / WORKGROUP),
  });
  return [byQueries, byKeys, byValues];
}
