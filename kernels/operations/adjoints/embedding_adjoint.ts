/**
 * The adjoint of gathering rows of a table: gradients with respect to the trained parts of the table.
 *
 * @module
 */

import { isQuantised } from "../../../quant/layouts/layout.ts";
import { partName, secondPart } from "../../../quant/layouts/trained_part.ts";
import type { Graph, Range, Value } from "../../device/graph.ts";
import type { Gradients } from "../../device/operation.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { gatheredCodebookSlopes } from "../../matmul/adjoints/codebook_adjoint.ts";
import { layoutKey, scaleColumns, scaleGroups } from "../../matmul/layout_key.ts";
import {
  perturbedPlanes,
  planeKey,
  rowQuads,
  type TensorPerturbations,
} from "../../matmul/perturbed_plane.ts";
import { bindPerturbation } from "../../offsets/bind.ts";
import type { Perturbation } from "../../offsets/perturbation.ts";
import source from "./embedding_adjoint.wgsl.ts";
import minimaSource from "./embedding_minima_adjoint.wgsl.ts";

/** A table and the rows that were gathered from it. */
export interface GatheredTable extends TensorPerturbations {
  /** Table `[tokens][width]`, packed or dense. */
  readonly table: DeviceTensor;
  /** Number of gathered rows. */
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

/** Records the gradient with respect to the offsets of a table, from that of the gathered rows. Adds it to `gradients`. */
export function tableSlopes(
  graph: Graph,
  slope: Value,
  gathered: GatheredTable,
  gradients: Gradients,
): void {
  const { table, perturbation, plane } = gathered;
  const own = perturbation && gradients.of(table.name);
  if (perturbation && own) scaleSlopes(graph, slope, gathered, perturbation, own);
  const second = secondPart(table.layout);
  const gradient = plane && second && gradients.of(partName(table.name, second));
  if (!plane || !gradient) return;
  if (second === "codebook") {
    gatheredCodebookSlopes(graph, slope, gathered, {
      ...{ weight: table, perturbation, plane, gradient },
    });
  } else minimaSlopes(graph, slope, gathered, plane, gradient);
}

function scaleSlopes(
  graph: Graph,
  slope: Value,
  { table, plane, rows, batch, index, shift, factor }: GatheredTable,
  perturbation: Perturbation,
  gradient: Range,
): void {
  const { SECOND } = layoutKey(table.layout);
  const planes = plane && perturbedPlanes(graph, table, plane, 1);
  const bound = bindPerturbation(perturbation);
  const isDense = !isQuantised(table.layout);
  const isRelative = perturbation.form === "relative";
  const span = isDense ? 16 : perturbation.span;
  table.pieces.forEach((piece, i) => {
    const needsScales = isRelative || SECOND === "zero" && !planes || table.layout.kind === "super";
    graph.add({
      label: `embedding adjoint ${table.name}`,
      source,
      key: {
        ...layoutKey(table.layout),
        ...bound.key,
        ...planeKey(table, { perturbation, plane }, planes?.[i]),
        CODE_WORDS: 0,
        SCALE_VECTOR: false,
        ONE_ROW: batch === undefined,
      },
      reads: {
        1: isDense && !isRelative ? undefined : piece.codes,
        2: batch,
        4: needsScales ? piece.scales : undefined,
        // The gradient of scales does not depend on minima that are trained separately, but on zero points.
        5: SECOND === "min" ? undefined : planes?.[i] ?? table.codebook,
        6: slope,
      },
      writes: { 3: gradient },
      parameters: [
        rows,
        table.columns,
        piece.rows,
        piece.firstRow,
        scaleColumns(table),
        scaleGroups(table),
        span,
        index,
        shift,
        ...bound.parameters,
        rowQuads(piece),
        { f32: factor },
      ],
      work: rows * table.columns * 4,
      workgroups: Math.ceil(rows * Math.ceil(table.columns / span) / 64),
    });
  });
}

function minimaSlopes(
  graph: Graph,
  slope: Value,
  { table, perturbation, rows, batch, index, shift, factor }: GatheredTable,
  plane: Perturbation,
  gradient: Range,
): void {
  const { SECOND } = layoutKey(table.layout);
  const bound = bindPerturbation(SECOND === "zero" ? perturbation : undefined);
  const usesScales = SECOND === "zero" || plane.form === "relative";
  const perSpan = Math.ceil(plane.span / table.groupColumns);
  for (const piece of table.pieces) {
    graph.add({
      label: `embedding minima adjoint ${table.name}`,
      source: minimaSource,
      key: {
        ...bound.key,
        SECOND,
        MINIMA: plane.form,
        SCALES: usesScales,
        ONE_ROW: batch === undefined,
      },
      reads: {
        2: batch,
        4: usesScales ? piece.scales : undefined,
        6: slope,
        ...bound.reads,
      },
      writes: { 3: gradient },
      parameters: [
        rows,
        table.columns,
        piece.rows,
        piece.firstRow,
        table.groupColumns,
        table.groups,
        perSpan,
        plane.stride / 4,
        index,
        shift,
        perturbation?.span ?? table.columns,
        ...bound.parameters,
        { f32: factor },
      ],
      work: rows * table.columns * 4,
      workgroups: Math.ceil(rows * Math.ceil(table.groups / perSpan) / 64),
    });
  }
}
