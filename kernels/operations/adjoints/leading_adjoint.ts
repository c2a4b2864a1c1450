/**
 * Adjoints of what precedes every sequence: vectors of virtual tokens, and keys and values that all rows share.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Gradients } from "../../device/operation.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import type { ForwardContext } from "../context.ts";
import copySource from "../leading/copy_rows.wgsl.ts";
import vectorsSource from "../leading/virtual_tokens.wgsl.ts";
import zeroSource from "../tangents/zero_tangents.wgsl.ts";
import { copiedSlope } from "./adjoints.ts";
import source from "./leading_adjoint.wgsl.ts";

/** A dense matrix whose rows precede every sequence, and the position of its rows. */
interface Leading {
  readonly tensor: DeviceTensor;
  /** The first virtual token; or, if `isPlaced`, the row of the first vector. */
  readonly first: number;
  readonly isPlaced: boolean;
}

function addSlopesOf(
  { graph, batch, rows, perturbation }: ForwardContext,
  slope: Value,
  { tensor, first, isPlaced }: Leading,
  gradients: Gradients,
): void {
  const own = perturbation(tensor.name);
  const gradient = own && gradients.of(tensor.name);
  if (!own || !gradient) return;
  const isRelative = own.form === "relative";
  const quads = tensor.columns / 4;
  graph.add({
    label: `leading adjoint ${tensor.name}`,
    source,
    key: { RELATIVE: isRelative, PLACED: isPlaced },
    reads: {
      1: slope,
      2: isPlaced ? undefined : batch,
      4: isRelative ? tensor.pieces[0].codes : undefined,
    },
    writes: { 3: gradient },
    parameters: [rows, quads, tensor.rows, first],
    work: tensor.rows * tensor.columns * (isPlaced ? 1 : rows),
    workgroups: Math.ceil(tensor.rows * quads / 64),
  });
}

/** Records the gradient with respect to the batch's keys or values, from that with `shared` appended. Adds that of `shared` to `gradients`. */
export function sharedBehindAdjoint(
  context: ForwardContext,
  slope: Value,
  shared: DeviceTensor,
  gradients: Gradients,
): Value {
  const { graph, rows } = context;
  addSlopesOf(context, slope, { tensor: shared, first: rows, isPlaced: true }, gradients);
  const y = graph.value("slopes by a batch's keys or values", rows * shared.columns);
  const total = y.words / 4;
  graph.add({
    label: "copy rows",
    source: copySource,
    key: { BY_BRANCH: true },
    reads: { 1: slope },
    writes: { 3: y },
    parameters: [rows, shared.columns / 4, total, rows, 0],
    workgroups: Math.ceil(total / 64),
  });
  return y;
}

/**
 * Records the gradient with respect to embeddings before the rows of virtual tokens, from `first` on, were replaced by `vectors`. Adds that of the
 * vectors to `gradients`.
 */
export function virtualTokensAdjoint(
  context: ForwardContext,
  slope: Value,
  vectors: DeviceTensor,
  first: number,
  gradients: Gradients,
): Value {
  const { graph, rows, batch } = context;
  addSlopesOf(context, slope, { tensor: vectors, first, isPlaced: false }, gradients);
  const y = copiedSlope(graph, slope);
  const zeros = zeroMatrix(graph, vectors);
  const quads = vectors.columns / 4;
  graph.add({
    label: "slopes by embeddings",
    source: vectorsSource,
    key: { BY_BRANCH: false },
    reads: { 1: zeros, 2: batch },
    writes: { 3: y },
    parameters: [rows, quads, rows * quads, first, vectors.rows],
    workgroups: Math.ceil(rows * quads / 64),
  });
  return y;
}

function zeroMatrix(graph: Graph, { rows, columns }: DeviceTensor): Value {
  const y = graph.value("zeros", rows * columns);
  const total = y.words / 4;
  graph.add({
    label: "zeros",
    source: zeroSource,
    key: {},
    reads: {},
    writes: { 3: y },
    parameters: [total, 0],
    workgroups: Math.ceil(total / 64),
  });
  return y;
}
