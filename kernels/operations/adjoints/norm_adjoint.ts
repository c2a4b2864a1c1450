/**
 * The adjoint of all normalisations of rows.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Gradients, Operand } from "../../device/operation.ts";
import { vectorSlopes } from "../../matmul/adjoints/product_adjoint.ts";
import { perturbedVector } from "../../matmul/perturbed_plane.ts";
import { splitRows } from "../rows.ts";
import type { NormTangentAttributes } from "../tangents/norm_tangent.ts";
import { scatterRows } from "./adjoints.ts";
import gainSource from "./gain_adjoint.wgsl.ts";
import source from "./norm_adjoint.wgsl.ts";

/** Records the gradient with respect to x. Adds those of a trained gain and bias to `gradients`. */
export function normAdjoint(
  graph: Graph,
  x: Operand,
  slope: Value,
  { context, centred, gain, bias, width, epsilon, list }: NormTangentAttributes,
  gradients: Gradients,
): Value {
  const { batch, adapterClass, perturbation } = context;
  const rows = list?.count ?? context.rows;
  const own = graph.value("slopes by a norm's rows", rows * width);
  const stats = graph.value("roots and means", rows * 2);
  const moved = gain && perturbation(gain.name);
  const factor = gain &&
    (moved ? perturbedVector(graph, gain, moved, 1) : gain.pieces[0].codes);
  const { key, workgroups } = splitRows(adapterClass, rows, 64);
  graph.add({
    label: `norm adjoint ${gain?.name ?? ""}`,
    source,
    key: { ...key, CENTRED: centred, GAIN: gain !== undefined, ROW_LIST: list !== undefined },
    reads: { 1: x, 2: list ? batch : undefined, 4: factor, 5: slope },
    writes: { 3: own, 6: stats },
    parameters: [rows, width / 4, list?.first ?? 0, 1, { f32: epsilon }],
    workgroups,
  });
  const gradient = gain && moved && gradients.of(gain.name);
  if (gain && moved && gradient) {
    const isRelative = moved.form === "relative";
    graph.add({
      label: `gain adjoint ${gain.name}`,
      source: gainSource,
      key: { RELATIVE: isRelative, ROW_LIST: list !== undefined },
      reads: {
        1: x,
        2: list ? batch : undefined,
        4: isRelative ? gain.pieces[0].codes : undefined,
        5: slope,
        6: stats,
      },
      writes: { 3: gradient },
      parameters: [rows, width / 4, list?.first ?? 0],
      work: rows * width,
      workgroups: Math.ceil(width / 4 / 64),
    });
  }
  const shift = bias && perturbation(bias.name);
  const shiftGradient = bias && shift && gradients.of(bias.name);
  if (bias && shift && shiftGradient) {
    vectorSlopes(graph, slope, bias, rows, shift, shiftGradient);
  }
  return list ? scatterRows(context, own, width, list) : own;
}
