/**
 * Rows of a table by token or position, or one of them.
 *
 * @module
 */

import type { Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import { layoutKey, scaleColumns, scaleGroups } from "../matmul/layout_key.ts";
import { perturbationsOf, perturbedPlanes, planeKey, rowQuads } from "../matmul/perturbed_plane.ts";
import { bindPerturbation } from "../offsets/bind.ts";
import type { ForwardContext } from "./context.ts";
import source from "./embedding.wgsl.ts";

/** Which row of a table a row of the batch gets, and what becomes of it. */
export interface EmbeddingIndex {
  /** By its token, by its position, or all the same one. Default `"tokens"`. */
  readonly by?: "tokens" | "positions" | "nothing";
  /** Added to the position; by nothing, the row. Default 0. */
  readonly shift?: number;
  /** What rows are multiplied by. Default 1. */
  readonly factor?: number;
}

/** What {@linkcode embeddingOperation} takes. */
export interface EmbeddingAttributes extends EmbeddingIndex {
  /** Rows, branches, the batch with its tokens and positions. */
  readonly context: ForwardContext;
  /** `[tokens][width]`, packed or dense. */
  readonly table: DeviceTensor;
}

/** No inputs to `[B][M][width]`. */
export const embeddingOperation: Operation<EmbeddingAttributes> = {
  name: "embedding",
  record(graph, _inputs, { context, table, by = "tokens", shift = 0, factor = 1 }) {
    const { rows, branches, batch, layout } = context;
    const { perturbation, plane } = perturbationsOf(table, context.perturbation);
    const bound = bindPerturbation(perturbation);
    const planes = plane && perturbedPlanes(graph, table, plane, branches);
    const y = graph.value("embedding", branches * rows * table.columns);
    for (const [i, piece] of table.pieces.entries()) {
      graph.add({
        label: `embedding ${table.name}`,
        source,
        key: {
          ...layoutKey(table.layout),
          ...bound.key,
          ...planeKey(table, { perturbation, plane }, planes?.[i]),
          CODE_WORDS: 0,
          SCALE_VECTOR: false,
          POSITIONS: by === "positions",
          SCALED: factor !== 1,
          ONE_ROW: by === "nothing",
        },
        reads: {
          1: piece.codes,
          2: by === "nothing" ? undefined : batch,
          4: piece.scales,
          5: planes?.[i] ?? table.codebook,
          ...bound.reads,
        },
        writes: { 3: y },
        parameters: [
          rows,
          table.columns,
          piece.rows,
          piece.firstRow,
          scaleColumns(table),
          scaleGroups(table),
          perturbation?.span ?? table.columns,
          ...bound.parameters,
          branches,
          rowQuads(piece),
          ...(by === "positions" ? [layout.positions, shift] : by === "nothing" ? [shift] : []),
          ...(factor === 1 ? [] : [{ f32: factor }]),
        ],
        workgroups: Math.ceil(branches * rows * table.columns / 4 / 64),
      });
    }
    return y;
  },
};

/** Rows of an embedding table by token or position, or one row for all: `[B][M][D]`. */
export function embedding(
  context: ForwardContext,
  table: DeviceTensor,
  index: EmbeddingIndex = {},
): Value {
  return recordOperation(context.graph, embeddingOperation, [], { ...index, context, table });
}
