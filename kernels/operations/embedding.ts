/**
 * Looks up rows of a table by token or position, or one row for all.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import { layoutKey, scaleColumns, scaleGroups } from "../matmul/layout_key.ts";
import {
  perturbationsOf,
  perturbedPlanes,
  planeKey,
  rowQuads,
  type TensorPerturbations,
} from "../matmul/perturbed_plane.ts";
import { bindPerturbation } from "../offsets/bind.ts";
import { withoutNoise } from "../offsets/perturbation.ts";
import type { ForwardContext } from "./context.ts";
import { tableSlopes } from "./adjoints/embedding_adjoint.ts";
import { zeroTangents } from "./tangents/zero_tangents.ts";
import source from "./embedding.wgsl.ts";

/** Which row of the table each row of the batch gets, and how it is changed. */
export interface EmbeddingIndex {
  /** Look up by token, by position, or use the same row for all. Default `"tokens"`. */
  readonly by?: "tokens" | "positions" | "nothing";
  /** Added to the position; with `"nothing"`, the index of the row. Default 0. */
  readonly shift?: number;
  /** Factor for the rows. Default 1. */
  readonly factor?: number;
}

/** Attributes of {@linkcode embeddingOperation}. */
export interface EmbeddingAttributes extends EmbeddingIndex {
  /** Rows, branches, and the batch with its tokens and positions. */
  readonly context: ForwardContext;
  /** Table `[tokens][width]`, packed or dense. */
  readonly table: DeviceTensor;
}

/** No inputs. Result: `[B][M][width]`. */
export const embeddingOperation: Operation<EmbeddingAttributes> = {
  name: "embedding",
  record(graph, _inputs, attributes) {
    const { context, table } = attributes;
    const { perturbation, plane } = perturbationsOf(table, context.perturbation);
    const { branches } = context;
    const planes = plane && perturbedPlanes(graph, table, plane, branches);
    const y = result(graph, attributes);
    recordRows(graph, y, attributes, { perturbation, plane, planes, branches });
    return y;
  },
  tangent(graph, _inputs, attributes) {
    const { context, table } = attributes;
    const { perturbation, plane } = perturbationsOf(table, context.perturbation);
    const y = result(graph, attributes);
    const directions = context.branches - 1;
    const still = {
      perturbation: perturbation && withoutNoise(perturbation),
      plane: plane && withoutNoise(plane),
    };
    const planes = still.plane && perturbedPlanes(graph, table, still.plane, context.branches);
    recordRows(graph, y, attributes, { ...still, planes, branches: 1 });
    zeroTangents(graph, y);
    const behind = { ...still, planes, branches: directions, behind: true };
    if (perturbation?.noise) {
      const along = { ...perturbation, tangent: true };
      recordRows(graph, y, attributes, { ...behind, perturbation: along });
    }
    if (plane?.noise) {
      const moved = perturbedPlanes(graph, table, { ...plane, tangent: true }, directions);
      recordRows(graph, y, attributes, { ...behind, planes: moved, movesPlane: true });
    }
    return y;
  },
  adjoint(graph, _inputs, _output, slope, attributes, gradients) {
    const { context, table, by = "tokens", shift = 0, factor = 1 } = attributes;
    const { rows, batch, layout } = context;
    const gathered = {
      ...{ table, rows, factor, ...perturbationsOf(table, context.perturbation) },
      batch: by === "nothing" ? undefined : batch,
      index: { tokens: layout.tokens, positions: layout.positions, nothing: 0 }[by],
      shift: by === "tokens" ? 0 : shift,
    };
    tableSlopes(graph, slope, gathered, gradients);
    return [];
  },
};

/** The result, `[B][M][width]`. */
function result(graph: Graph, { context, table }: EmbeddingAttributes): Value {
  return graph.value("embedding", context.branches * context.rows * table.columns);
}

/** Options for reading rows of a table. */
interface RowOptions extends TensorPerturbations {
  /** Planes that vary by branch, one per piece; see {@linkcode perturbedPlanes}. */
  readonly planes: readonly Value[] | undefined;
  /** Number of branches to record. */
  readonly branches: number;
  /** Whether the rows are tangents, which are added to the branches after the first. Default false. */
  readonly behind?: boolean;
  /** Whether the codebooks or minima change, with `planes` as their tangents. Default false. */
  readonly movesPlane?: boolean;
}

function recordRows(
  graph: Graph,
  y: Value,
  { context, table, by = "tokens", shift = 0, factor = 1 }: EmbeddingAttributes,
  { perturbation, plane, planes, branches, behind = false, movesPlane = false }: RowOptions,
): void {
  const { rows, batch, layout } = context;
  const bound = bindPerturbation(perturbation);
  for (const [i, piece] of table.pieces.entries()) {
    const planes_ = planeKey(table, { perturbation, plane }, planes?.[i]);
    graph.add({
      label: `embedding ${table.name}`,
      source,
      key: {
        ...layoutKey(table.layout),
        ...bound.key,
        ...planes_,
        CODE_WORDS: 0,
        SCALE_VECTOR: false,
        POSITIONS: by === "positions",
        SCALED: factor !== 1,
        ONE_ROW: by === "nothing",
        BEHIND: behind,
        MOVED_PLANE: movesPlane ? planes_.PLANE : "none",
      },
      reads: {
        1: movesPlane && planes_.PLANE === "minima" ? undefined : piece.codes,
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
}

/**
 * Looks up rows of an embedding table by token or position, or one row for all: `[B][M][D]`.
 *
 * @example Rows of a table, by token
 * ```ts
 * import { batchLayout, DeviceTensor, embedding, Graph, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const table = new DeviceTensor("token_embd.weight", { kind: "dense", type: "f32" }, 1024, 64, 2 ** 27);
 * assertEquals(embedding(context, table).words, 2 * 4 * 64);
 * ```
 */
export function embedding(
  context: ForwardContext,
  table: DeviceTensor,
  index: EmbeddingIndex = {},
): Value {
  return recordOperation(context.graph, embeddingOperation, [], { ...index, context, table });
}
