/**
 * Rotary position embedding.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import { copiedSlope } from "./adjoints/adjoints.ts";
import type { ForwardContext } from "./context.ts";
import source from "./rope.wgsl.ts";

/** The layout of heads and how they are rotated. */
export interface HeadShape {
  /** Number of heads in the value. */
  readonly heads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Whether pairs are (2i, 2i+1) instead of (i, i + half). */
  readonly interleaved: boolean;
  /**
   * Number of elements rotated at the start of each head. Half of it is the distance between the elements of a pair.
   * Default: all.
   */
  readonly rotated?: number | undefined;
}

/** Attributes of {@linkcode ropeOperation}. */
export interface RopeAttributes extends HeadShape {
  /** Rows, branches, and the batch with its positions. */
  readonly context: ForwardContext;
  /** Table `[positions][pairs](cos, sin)`. */
  readonly table: Storage;
}

/** Input: x. Result: x rotated by the positions of its rows, in place. */
export const ropeOperation: Operation<RopeAttributes> = {
  name: "rope",
  inPlace: true,
  tangent: "linear",
  record(graph, [input], attributes) {
    rotate(graph, input as Value, attributes, false);
    return input as Value;
  },
  adjoint(graph, _inputs, _output, slope, attributes) {
    const x = copiedSlope(graph, slope);
    rotate(graph, x, attributes, true);
    return [x];
  },
};

/** Records a rotation by the positions of rows, or its inverse. */
function rotate(
  graph: Graph,
  x: Value,
  { context, table, heads, headDimension, interleaved, rotated }: RopeAttributes,
  backwards: boolean,
): void {
  const { rows, branches, batch, layout } = context;
  const pairs = (rotated ?? headDimension) / 2;
  const atOnce = interleaved ? 2 : 4;
  const width = pairs % atOnce === 0 ? atOnce : 1;
  const total = branches * rows * heads * pairs / width;
  graph.add({
    label: "rope",
    source,
    key: { INTERLEAVED: interleaved, WIDTH: width, BACKWARDS: backwards },
    reads: { 1: table, 2: batch },
    writes: { 3: x },
    parameters: [
      rows,
      total,
      heads,
      pairs / width,
      headDimension / (width === 1 ? 1 : 4),
      layout.positions,
    ],
    workgroups: Math.ceil(total / 64),
  });
}

/**
 * Rotates queries or keys in place by their positions (Su et al., arXiv 2104.09864). `table` is
 * `[positions][pairs](cos, sin)`.
 *
 * @example Queries of four heads
 * ```ts
 * import { batchLayout, Graph, rope, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const table = new Storage("rope table", 128 * 8 * 2 * 4, "weights");
 * const q = context.graph.value("q", 2 * 4 * 64);
 * const rotated = rope(context, q, table, { heads: 4, headDimension: 16, interleaved: false });
 * assertEquals(rotated, q);
 * ```
 */
export function rope(context: ForwardContext, x: Value, table: Storage, shape: HeadShape): Value {
  return recordOperation(context.graph, ropeOperation, [x], { context, table, ...shape });
}
