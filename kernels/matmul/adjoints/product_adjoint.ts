/**
 * The adjoint of a matrix product: gradients with respect to its input and to the offsets of its weights.
 *
 * @module
 */

import { isQuantised } from "../../../quant/layouts/layout.ts";
import { partName, secondPart } from "../../../quant/layouts/trained_part.ts";
import type { AdapterClass } from "../../device/gpu.ts";
import type { Graph, Range, Value } from "../../device/graph.ts";
import type { Gradients, Operand } from "../../device/operation.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { bindPerturbation } from "../../offsets/bind.ts";
import type { Perturbation } from "../../offsets/perturbation.ts";
import { layoutKey, scaleColumns, scaleGroups } from "../layout_key.ts";
import { groupSums } from "../minima_tangents.ts";
import { codebookSlopes } from "./codebook_adjoint.ts";
import { hasWords, inputTiles, scaleTiles } from "./register_adjoints.ts";
import {
  perturbedPlanes,
  planeKey,
  rowQuads,
  type TensorPerturbations,
} from "../perturbed_plane.ts";
import sumsSource from "./column_sums.wgsl.ts";
import inputSource from "./input_adjoint.wgsl.ts";
import minimaSource from "./minima_adjoint.wgsl.ts";
import weightSource from "./weight_adjoint.wgsl.ts";

/** Rows per invocation. */
const ROWS = 8;

/** A computed product of one branch. */
export interface ProductOf extends TensorPerturbations {
  /** Weights `[N][K]`. */
  readonly weight: DeviceTensor;
  /** Rows of x (M). */
  readonly rows: number;
  /** Class of the adapter, which determines the tile. */
  readonly adapterClass: AdapterClass;
}

/** The part of the shader key that both kernels share, for a piece of the weights. */
function pieceKey(
  weight: DeviceTensor,
  { perturbation, plane }: TensorPerturbations,
  own: Value | undefined,
) {
  const bound = bindPerturbation(perturbation);
  return {
    bound,
    key: {
      ...layoutKey(weight.layout),
      ...bound.key,
      ...planeKey(weight, { perturbation, plane }, own),
      CODE_WORDS: 0,
      SCALE_VECTOR: false,
      VECTOR: weight.rows % 4 === 0,
    },
  };
}

/** Records the gradient with respect to x, `[M][K]`, from that of the product, `[M][N]`. */
export function inputSlopes(graph: Graph, slope: Value, product: ProductOf): Value {
  const { weight, rows, perturbation, plane } = product;
  const y = graph.value(`slopes by the input of ${weight.name}`, rows * weight.columns);
  const planes = plane && perturbedPlanes(graph, weight, plane, 1);
  if (hasWords(weight.layout)) {
    inputTiles(graph, slope, { ...product, planes }, y);
    return y;
  }
  weight.pieces.forEach((piece, i) => {
    const { bound, key } = pieceKey(weight, product, planes?.[i]);
    const total = Math.ceil(rows / ROWS) * weight.columns / 4;
    graph.add({
      label: `input adjoint ${weight.name}`,
      source: inputSource,
      key: { ...key, ROWS, ADDS: i > 0 },
      reads: {
        1: piece.codes,
        2: slope,
        4: piece.scales,
        5: planes?.[i] ?? weight.codebook,
        ...bound.reads,
      },
      writes: { 3: y },
      parameters: [
        rows,
        weight.columns,
        piece.rows,
        piece.firstRow,
        weight.rows,
        scaleColumns(weight),
        scaleGroups(weight),
        perturbation?.span ?? weight.columns,
        rowQuads(piece),
        ...bound.parameters,
        0,
      ],
      firstGroup: 12,
      work: rows * weight.columns * piece.rows,
      workgroups: Math.ceil(total / 64),
    });
  });
  return y;
}

/** Records the gradient with respect to the offsets of the product's weights, from that of the product and from its input. Adds it to `gradients`. */
export function weightSlopes(
  graph: Graph,
  x: Operand,
  slope: Value,
  product: ProductOf,
  gradients: Gradients,
): void {
  const { weight, perturbation, plane } = product;
  const own = perturbation && gradients.of(weight.name);
  if (perturbation && own) scaleSlopes(graph, x, slope, product, perturbation, own);
  const second = secondPart(weight.layout);
  const moved = plane && second && gradients.of(partName(weight.name, second));
  if (!plane || !moved) return;
  if (second === "codebook") {
    codebookSlopes(graph, x, slope, product.rows, { weight, perturbation, plane, gradient: moved });
  } else minimaSlopes(graph, x, slope, product, plane, moved);
}

function scaleSlopes(
  graph: Graph,
  x: Operand,
  slope: Value,
  product: ProductOf,
  perturbation: Perturbation,
  gradient: Range,
): void {
  const { weight, rows, plane } = product;
  const isDense = !isQuantised(weight.layout);
  const planes = plane && perturbedPlanes(graph, weight, plane, 1);
  if (!isDense && weight.layout.kind !== "column") {
    scaleTiles(graph, x, slope, { ...product, perturbation, planes }, gradient);
    return;
  }
  const span = isDense ? 16 : perturbation.span;
  weight.pieces.forEach((piece, i) => {
    const { bound, key } = pieceKey(weight, product, planes?.[i]);
    const classes = weight.layout.kind === "column" ? weight.layout.classes : undefined;
    const quads = Math.ceil((classes ?? piece.rows) / 4);
    const needsCodes = !isDense || perturbation.form === "relative";
    graph.add({
      label: `weight adjoint ${weight.name}`,
      source: weightSource,
      key,
      reads: {
        1: needsCodes ? piece.codes : undefined,
        2: slope,
        5: weight.codebook,
        6: x,
      },
      writes: { 3: gradient },
      parameters: [
        rows,
        weight.columns,
        piece.rows,
        piece.firstRow,
        weight.rows,
        scaleColumns(weight),
        scaleGroups(weight),
        span,
        quads,
        // Without classes, no two rows share offsets.
        classes ?? 0x40000000,
        ...bound.parameters,
        0,
      ],
      firstGroup: 13,
      work: rows * weight.columns * piece.rows,
      workgroups: Math.ceil(quads * Math.ceil(weight.columns / span) / 32),
    });
  });
}

function minimaSlopes(
  graph: Graph,
  x: Operand,
  slope: Value,
  { weight, rows, perturbation }: ProductOf,
  plane: Perturbation,
  gradient: Range,
): void {
  const sums = groupSums(graph, x, weight, rows);
  const { SECOND } = layoutKey(weight.layout);
  const bound = bindPerturbation(SECOND === "zero" ? perturbation : undefined);
  weight.pieces.forEach((piece) => {
    const spans = Math.ceil(weight.columns / plane.span);
    const usesScales = SECOND === "zero" || plane.form === "relative";
    graph.add({
      label: `minima adjoint ${weight.name}`,
      source: minimaSource,
      key: { ...bound.key, SECOND, MINIMA: plane.form, SCALES: usesScales },
      reads: {
        1: sums,
        2: slope,
        4: usesScales ? piece.scales : undefined,
        ...bound.reads,
      },
      writes: { 3: gradient },
      parameters: [
        rows,
        piece.rows,
        piece.firstRow,
        weight.rows,
        weight.groups,
        Math.ceil(plane.span / weight.groupColumns),
        plane.stride / 4,
        weight.groupColumns,
        perturbation?.span ?? weight.columns,
        ...bound.parameters,
      ],
      work: rows * weight.groups * piece.rows,
      workgroups: Math.ceil(piece.rows * spans / 64),
    });
  });
}

/** Records the gradient with respect to the offsets of a vector that is added to every row. Adds it to `gradient`. */
export function vectorSlopes(
  graph: Graph,
  slope: Value,
  vector: DeviceTensor,
  rows: number,
  { form }: Pick<Perturbation, "form">,
  gradient: Range,
): void {
  const isRelative = form === "relative";
  graph.add({
    label: `vector adjoint ${vector.name}`,
    source: sumsSource,
    key: { RELATIVE: isRelative },
    reads: { 1: isRelative ? vector.pieces[0].codes : undefined, 2: slope },
    writes: { 3: gradient },
    parameters: [rows, vector.rows * vector.columns],
    workgroups: Math.ceil(vector.rows * vector.columns / 64),
  });
}
