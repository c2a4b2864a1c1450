/**
 * The effect of a change of minima or zero points on a product. They multiply the sums of the input over the columns of their groups, so the cost is
 * that of the product divided by the group size.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import type { Operand } from "../device/operation.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import { bindPerturbation } from "../offsets/bind.ts";
import type { Perturbation } from "../offsets/perturbation.ts";
import sumsSource from "./group_sums.wgsl.ts";
import { layoutKey } from "./layout_key.ts";
import source from "./minima_tangents.wgsl.ts";
import { rowQuads } from "./perturbed_plane.ts";

/** Records the sums of `rows` rows of x over the columns of each group: `[M][groups]`. */
export function groupSums(
  graph: Graph,
  x: Operand,
  { columns, groups, groupColumns }: DeviceTensor,
  rows: number,
): Value {
  const y = graph.value("sums of groups", rows * groups);
  graph.add({
    label: "sums of groups",
    source: sumsSource,
    key: {},
    reads: { 1: x },
    writes: { 3: y },
    parameters: [y.words, groups, groupColumns / 4, columns / 4],
    workgroups: Math.ceil(y.words / 64),
  });
  return y;
}

/** Adds to the tangents of a product the effect of the tangents of its minima or zero points (`planes`, one per piece) on the first branch of x. */
export function addMinimaTangents(
  graph: Graph,
  x: Operand,
  weight: DeviceTensor,
  { rows, branches, y, planes, perturbation }: {
    readonly rows: number;
    /** Number of tangents. */
    readonly branches: number;
    /** The product, `[1 + branches][M][N]`. */
    readonly y: Value;
    /** Tangents of the minima or zero points, one per piece: `[branches][groups][rows of the piece, rounded up to 4]`. */
    readonly planes: readonly Value[];
    /** Perturbation of the scales, without noise. */
    readonly perturbation?: Perturbation | undefined;
  },
): void {
  const sums = groupSums(graph, x, weight, rows);
  const { SECOND } = layoutKey(weight.layout);
  // Minima are added as they are; zero points are multiplied by their scales.
  const bound = bindPerturbation(SECOND === "zero" ? perturbation : undefined);
  weight.pieces.forEach((piece, i) => {
    const total = branches * rows * piece.rows;
    graph.add({
      label: `minima of ${weight.name}`,
      source,
      key: { ...bound.key, SECOND },
      reads: {
        1: sums,
        2: planes[i],
        4: SECOND === "zero" ? piece.scales : undefined,
        ...bound.reads,
      },
      writes: { 3: y },
      parameters: [
        rows,
        branches,
        piece.rows,
        piece.firstRow,
        weight.rows,
        weight.groups,
        weight.groupColumns,
        perturbation?.span ?? weight.columns,
        rowQuads(piece),
        ...bound.parameters,
      ],
      work: total * weight.groups,
      workgroups: Math.ceil(total / 64),
    });
  });
}
