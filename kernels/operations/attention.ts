/**
 * Causal attention.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import { type Operand, type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import source from "./attention.wgsl.ts";
import tangentSource from "./tangents/attention_tangent.wgsl.ts";
import { attentionAdjoint, isLooped } from "./adjoints/attention_adjoint.ts";
import type { ForwardContext } from "./context.ts";

/** Widest head whose value and tangent are computed together by one invocation. Wider ones would need too many registers. */
const WIDEST_JOINT_HEAD = 128;

/** Options of {@linkcode attention}. */
export interface AttentionShape {
  /** Number of query heads. */
  readonly heads: number;
  /** Number of key and value heads; divides `heads`. */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Rows per branch in `k` and `v`. Default: the rows of the batch. */
  readonly keyRows?: number;
  /**
   * Whether keys are stored at their slots modulo `keyRows`, with room for a window and all rows of the batch. Default
   * false.
   */
  readonly rolling?: boolean;
  /** The most keys a row attends to: the nearest ones, itself included. Default: all before it. */
  readonly window?: number | undefined;
  /** Factor for the products of queries and keys. Default: 1 / sqrt(`headDimension`). */
  readonly scale?: number | undefined;
  /** Scores s become `cap * tanh(s / cap)`. Default: scores are not limited. */
  readonly cap?: number | undefined;
  /**
   * Number of keys after the `keyRows` of each branch to which all its rows attend, as if they preceded every sequence.
   * Default 0.
   */
  readonly sharedKeys?: number;
}

/** Attributes of {@linkcode attentionOperation}. */
export interface AttentionAttributes extends AttentionShape {
  /** Rows, branches, and the batch that says which rows attend to which. */
  readonly context: ForwardContext;
}

/** Inputs: q, k, v. Result: `[B][M][heads * head]`. */
export const attentionOperation: Operation<AttentionAttributes> = {
  name: "attention",
  record(graph, inputs, attributes) {
    const y = result(graph, attributes);
    recordHeads(graph, source, inputs, y, attributes, attributes.context.branches);
    return y;
  },
  tangent(graph, inputs, attributes) {
    assertOwnKeys(attributes, "in forward mode");
    const y = result(graph, attributes);
    const directions = attributes.context.branches - 1;
    const joint = directions === 1 && attributes.headDimension <= WIDEST_JOINT_HEAD;
    if (!joint) recordHeads(graph, source, inputs, y, attributes, 1);
    recordHeads(graph, tangentSource, inputs, y, attributes, directions, { VALUE: joint });
    return y;
  },
  adjoint(graph, inputs, output, slope, attributes) {
    assertOwnKeys(attributes, "in reverse mode");
    return attentionAdjoint(graph, inputs, output, slope, attributes);
  },
};

/** Rejects keys of earlier tokens, for which there is no derivative. */
function assertOwnKeys({ context, keyRows, rolling }: AttentionAttributes, how: string): void {
  if (!rolling && (keyRows ?? context.rows) === context.rows) return;
  throw new TypeError(
    `Cannot differentiate "attention" ${how} over a cache of keys: there is no rule for such keys; use an estimator that compares losses, such as spsa`,
  );
}

/** The result, `[B][M][heads * head]`. */
function result(
  graph: Graph,
  { context: { branches, rows }, heads, headDimension }: AttentionAttributes,
): Value {
  return graph.value("attention", branches * rows * heads * headDimension);
}

/** Records attention for each head and row of `branches` branches. */
function recordHeads(
  graph: Graph,
  shader: string,
  [q, k, v]: readonly Operand[],
  y: Value,
  { context, heads, keyValueHeads, headDimension, ...rest }: AttentionAttributes,
  branches: number,
  own: Readonly<Record<string, boolean>> = {},
): void {
  const { rows, batch, layout } = context;
  const { keyRows, rolling = false, window, cap, sharedKeys = 0 } = rest;
  const { scale = 1 / Math.sqrt(headDimension) } = rest;
  const total = branches * rows * heads;
  graph.add({
    label: shader === source ? "attention" : "attention tangent",
    source: shader,
    key: {
      QUADS: headDimension / 4,
      WORKGROUP: 32,
      LOOPED: isLooped(headDimension),
      WINDOWED: window !== undefined,
      CAPPED: cap !== undefined,
      ROLLING: rolling,
      SHARED: sharedKeys > 0,
      ...own,
    },
    reads: { 1: q, 2: k, 4: v, 5: batch },
    writes: { 3: y },
    parameters: [
      rows,
      total,
      heads,
      keyValueHeads,
      keyRows ?? rows,
      layout.prefixStart,
      layout.prefixEnd,
      layout.ownStart,
      layout.slots,
      { f32: scale },
      0,
      ...(window === undefined ? [] : [window]),
      ...(cap === undefined ? [] : [{ f32: cap }]),
      ...(sharedKeys > 0 ? [sharedKeys] : []),
    ],
    firstGroup: 10,
    // An upper bound: the lengths of the sequences are known only from the batch.
    work: total * headDimension * Math.min((keyRows ?? rows) + sharedKeys, window ?? Infinity),
    workgroups: Math.ceil(total / 32),
  });
}

/**
 * Causal grouped-query attention with an online softmax (Milakov and Gimelshein, arXiv 1805.02867): `[B][M][heads *
 * head]`. A row attends to `[prefixStart, prefixEnd)` and `[ownStart, slot]`; with a window, only to the last keys of
 * these two ranges.
 *
 * @example Four query heads, two for keys and values
 * ```ts
 * import { attention, batchLayout, Graph, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const { graph } = context;
 * const [q, k, v] = [4, 2, 2].map((heads, i) => graph.value("qkv"[i], 2 * 4 * heads * 16));
 * const y = attention(context, q, k, v, { heads: 4, keyValueHeads: 2, headDimension: 16 });
 * assertEquals(y.words, 2 * 4 * 4 * 16);
 * ```
 */
export function attention(
  context: ForwardContext,
  q: Value,
  k: Value | Storage,
  v: Value | Storage,
  shape: AttentionShape,
): Value {
  // Callers may pass objects with additional keys.
  const { heads, keyValueHeads, headDimension, keyRows, rolling, window, scale, cap } = shape;
  const { sharedKeys } = shape;
  const attributes = {
    context,
    heads,
    keyValueHeads,
    headDimension,
    keyRows: keyRows ?? context.rows,
    rolling,
    window,
    scale,
    cap,
    ...sharedKeys ? { sharedKeys } : {},
  };
  return recordOperation(context.graph, attentionOperation, [q, k, v], attributes);
}
