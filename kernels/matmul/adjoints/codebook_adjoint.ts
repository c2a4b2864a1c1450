/**
 * Gradients with respect to the entries of codebooks.
 *
 * @module
 */

import type { Graph, Range, Value } from "../../device/graph.ts";
import type { Operand } from "../../device/operation.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor, TensorPiece } from "../../device/tensor.ts";
import { bindPerturbation } from "../../offsets/bind.ts";
import type { Perturbation } from "../../offsets/perturbation.ts";
import { layoutKey } from "../layout_key.ts";
import source from "./codebook_adjoint.wgsl.ts";
import sumSource from "./codebook_sum.wgsl.ts";
import outerSource from "./outer_rows.wgsl.ts";

/** Maximum number of words of a matrix's gradient in memory at once. The whole gradient has as many as the matrix has weights. */
const SLICE_WORDS = 2 ** 20;

/** Invocations that divide the entries of a slice among them. */
const LANES = 16;

/** Number of slices of the rows, each with its own sums. */
const SLICES = 16;

/** A tensor with codebooks, and its trained parts. */
export interface Codebooks {
  /** Weights `[N][K]` in the codebook layout. */
  readonly weight: DeviceTensor;
  /** Perturbation of its scales. */
  readonly perturbation: Perturbation | undefined;
  /** Perturbation of its entries. */
  readonly plane: Perturbation;
  /** Memory to which the gradient of the entries is added. */
  readonly gradient: Range;
}

/** Records the gradient with respect to the entries of a matrix that multiplied `x`, `[M][K]`, from that of the product, `[M][N]`. */
export function codebookSlopes(
  graph: Graph,
  x: Operand,
  slope: Value,
  rows: number,
  books: Codebooks,
): void {
  const { weight } = books;
  const sums = entrySums(graph, weight);
  const most = Math.max(4, Math.floor(SLICE_WORDS / weight.columns / 4) * 4);
  let isFresh = true;
  for (const piece of weight.pieces) {
    for (let first = 0; first < piece.rows; first += most) {
      const outputs = Math.min(most, piece.rows - first);
      const byRows = graph.value(`slopes by rows of ${weight.name}`, outputs * weight.columns);
      graph.add({
        label: `outer rows ${weight.name}`,
        source: outerSource,
        key: {},
        reads: { 1: slope, 2: x },
        writes: { 3: byRows },
        parameters: [rows, weight.columns, outputs, piece.firstRow + first, weight.rows, 0],
        firstGroup: 5,
        work: rows * weight.columns * outputs,
        workgroups: Math.ceil(Math.ceil(outputs / 4) * Math.ceil(weight.columns / 16) / 32),
      });
      addEntries(graph, books, piece, sums, isFresh, { slopes: byRows, rows: outputs, first });
      isFresh = false;
    }
  }
  addSums(graph, books, sums);
}

/** The rows that were gathered from a table. */
export interface GatheredRows {
  /** Number of rows in the gradient. */
  readonly rows: number;
  /** The batch with the row numbers. Undefined if all rows are row `shift`. */
  readonly batch: Storage | Range | undefined;
  /** Start of the row numbers within the batch, in words. */
  readonly index: number;
  /** Added to the row numbers. */
  readonly shift: number;
  /** Factor that the rows were multiplied by. */
  readonly factor: number;
}

/** Records the gradient with respect to the entries of a table from that of the rows gathered from it. */
export function gatheredCodebookSlopes(
  graph: Graph,
  slope: Value,
  gathered: GatheredRows,
  books: Codebooks,
): void {
  const sums = entrySums(graph, books.weight);
  books.weight.pieces.forEach((piece, i) => {
    const { rows } = gathered;
    addEntries(graph, books, piece, sums, i === 0, { slopes: slope, rows, first: 0, gathered });
  });
  addSums(graph, books, sums);
}

function entrySums(graph: Graph, { name, codebook }: DeviceTensor): Value {
  return graph.value(`sums by entries of ${name}`, SLICES * codebook!.bytes / 2);
}

function addEntries(
  graph: Graph,
  { weight, perturbation }: Codebooks,
  piece: TensorPiece,
  sums: Value,
  isFresh: boolean,
  { slopes, rows, first, gathered }: {
    readonly slopes: Value;
    readonly rows: number;
    readonly first: number;
    readonly gathered?: GatheredRows;
  },
): void {
  const bound = bindPerturbation(perturbation);
  graph.add({
    label: `codebook adjoint ${weight.name}`,
    source,
    key: {
      ...layoutKey(weight.layout),
      ...bound.key,
      LANES,
      GATHERED: gathered?.batch !== undefined,
      ONE_ROW: gathered !== undefined && gathered.batch === undefined,
    },
    reads: { 1: piece.codes, 2: gathered?.batch, 4: piece.scales, 6: slopes, ...bound.reads },
    writes: { 3: sums },
    parameters: [
      rows,
      weight.columns,
      SLICES,
      Number(isFresh),
      first,
      piece.rows,
      piece.firstRow,
      gathered?.index ?? 0,
      gathered?.shift ?? 0,
      perturbation?.span ?? weight.columns,
      ...bound.parameters,
      { f32: gathered?.factor ?? 1 },
    ],
    work: rows * weight.columns * LANES,
    workgroups: SLICES,
  });
}

function addSums(graph: Graph, { weight, plane, gradient }: Codebooks, sums: Value): void {
  const quads = weight.codebook!.bytes / 8;
  const isRelative = plane.form === "relative";
  graph.add({
    label: `codebook sums ${weight.name}`,
    source: sumSource,
    key: { RELATIVE: isRelative },
    reads: { 1: sums, 4: isRelative ? weight.codebook : undefined },
    writes: { 3: gradient },
    parameters: [quads, SLICES],
    workgroups: Math.ceil(quads / 64),
  });
}
