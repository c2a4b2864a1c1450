/**
 * The adjoint of attention: one kernel by queries, one by keys, so that no two invocations add to the same slope.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Operand } from "../../device/operation.ts";
import type { ForwardContext } from "../context.ts";
import keySource from "./key_adjoint.wgsl.ts";
import querySource from "./query_adjoint.wgsl.ts";

const WORKGROUP = 32;

/** Attention that was computed over its own keys. */
export interface AttentionOf {
  /** Rows, the batch that says which see which. */
  readonly context: ForwardContext;
  /** Query heads. */
  readonly heads: number;
  /** Heads of keys and values. */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Keys that a row sees at most. Default: all before it. */
  readonly window?: number | undefined;
  /** What products of queries and keys are multiplied by. Default: 1 / sqrt(`headDimension`). */
  readonly scale?: number | undefined;
  /** The bound of scores. Default: none. */
  readonly cap?: number | undefined;
}

/** Records the slopes by q, k and v. */
export function attentionAdjoint(
  graph: Graph,
  [q, k, v]: readonly Operand[],
  found: Value,
  slope: Value,
  { context, heads, keyValueHeads, headDimension, window, cap, ...rest }: AttentionOf,
): Value[] {
  const { rows, batch, layout } = context;
  const { scale = 1 / Math.sqrt(headDimension) } = rest;
  const byQueries = graph.value("slopes by queries", rows * heads * headDimension);
  const byKeys = graph.value("slopes by keys", rows * keyValueHeads * headDimension);
  const byValues = graph.value("slopes by values", rows * keyValueHeads * headDimension);
  const stats = graph.value("attention statistics", rows * heads * 2);
  const key = {
    QUADS: headDimension / 4,
    WORKGROUP,
    WINDOWED: window !== undefined,
    CAPPED: cap !== undefined,
    SHARED: false,
  };
  const parameters = (total: number) => [
    rows,
    total,
    heads,
    keyValueHeads,
    layout.prefixStart,
    layout.prefixEnd,
    layout.ownStart,
    layout.slots,
    { f32: scale },
    0,
    ...(window === undefined ? [] : [window]),
    ...(cap === undefined ? [] : [{ f32: cap }]),
  ];
  const work = rows * heads * headDimension * 3 * Math.min(rows, window ?? Infinity);
  graph.add({
    label: "query adjoint",
    source: querySource,
    key,
    reads: { 1: q, 2: k, 4: v, 5: batch, 6: slope, 7: found },
    writes: { 3: byQueries, 8: stats },
    parameters: parameters(rows * heads),
    firstGroup: 9,
    work,
    workgroups: Math.ceil(rows * heads / WORKGROUP),
  });
  graph.add({
    label: "key adjoint",
    source: keySource,
    key,
    reads: { 1: q, 2: k, 4: v, 5: batch, 6: slope, 8: stats },
    writes: { 3: byKeys, 7: byValues },
    parameters: parameters(rows * keyValueHeads),
    firstGroup: 9,
    work,
    workgroups: Math.ceil(rows * keyValueHeads / WORKGROUP),
  });
  return [byQueries, byKeys, byValues];
}
