/**
 * Attention.
 *
 * @module
 */

import type { Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import source from "./attention.wgsl.ts";
import type { ForwardContext } from "./context.ts";

/** Models in use have 64 to 256; wider ones, which compile for 22 s (512) and 117 s (1024) on lavapipe, are looped over. */
const WIDEST_UNROLLED_HEAD = 256;

/** Arguments of {@linkcode attention} besides its inputs. */
export interface AttentionShape {
  /** Query heads. */
  readonly heads: number;
  /** Heads of keys and values; divides `heads`. */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Rows of one branch in `k` and `v`. Default: the batch's rows. */
  readonly keyRows?: number;
}

/** What {@linkcode attentionOperation} takes. */
export interface AttentionAttributes extends AttentionShape {
  /** Rows, branches, the batch that says which rows see which. */
  readonly context: ForwardContext;
}

/** q, k, v to `[B][M][heads * head]`. */
export const attentionOperation: Operation<AttentionAttributes> = {
  name: "attention",
  record(graph, [q, k, v], { context, heads, keyValueHeads, headDimension, keyRows }) {
    const { rows, branches, batch, layout } = context;
    const total = branches * rows * heads;
    const y = graph.value("attention", total * headDimension);
    graph.add({
      label: "attention",
      source,
      key: {
        QUADS: headDimension / 4,
        WORKGROUP: 32,
        LOOPED: headDimension > WIDEST_UNROLLED_HEAD,
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
        { f32: 1 / Math.sqrt(headDimension) },
        0,
      ],
      firstGroup: 10,
      // Of sequences without an end: how long they are is in the batch.
      work: total * headDimension * (keyRows ?? rows),
      workgroups: Math.ceil(total / 32),
    });
    return y;
  },
};

/**
 * Causal grouped-query attention with a running softmax (Milakov and Gimelshein, arXiv 1805.02867): `[B][M][heads * head]`.
 * A row attends to `[prefixStart, prefixEnd)` and `[ownStart, slot]`.
 */
export function attention(
  context: ForwardContext,
  q: Value,
  k: Value | Storage,
  v: Value | Storage,
  shape: AttentionShape,
): Value {
  const { heads, keyValueHeads, headDimension, keyRows } = shape;
  const attributes = {
    context,
    heads,
    keyValueHeads,
    headDimension,
    keyRows: keyRows ?? context.rows,
  };
  return recordOperation(context.graph, attentionOperation, [q, k, v], attributes);
}
