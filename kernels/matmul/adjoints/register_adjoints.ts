/**
 * Adjoints of products in register tiles, which unpack weights in the same way as the register kernel of the product.
 *
 * @module
 */

import { isPaired, type Layout } from "../../../quant/layouts/layout.ts";
import type { AdapterClass } from "../../device/gpu.ts";
import type { Graph, Range, Value } from "../../device/graph.ts";
import type { Operand } from "../../device/operation.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { bindPerturbation } from "../../offsets/bind.ts";
import type { Perturbation } from "../../offsets/perturbation.ts";
import { codeWords, layoutKey, scaleGroups, scaleLoad } from "../layout_key.ts";
import { boundPlane, planeKey, rowQuads, type TensorPerturbations } from "../perturbed_plane.ts";
import { ratios, unitColumns } from "../product.ts";
import inputSource from "./input_register.wgsl.ts";
import scaleSource from "./scale_register.wgsl.ts";

/** A product, and the planes of its second parts. */
interface Tiled extends TensorPerturbations {
  readonly weight: DeviceTensor;
  readonly rows: number;
  readonly adapterClass: AdapterClass;
  /** One per piece, if minima, zero points or codebooks are trained. */
  readonly planes: readonly Value[] | undefined;
}

/** Whether the codes of a layout are stored in words of planes, which {@linkcode inputTiles} can unpack. */
export function hasWords(layout: Layout): boolean {
  return (layout.kind === "scalar" || layout.kind === "super" || layout.kind === "column") &&
    layoutKey(layout).GRID === "none";
}

/** The bindings and the part of the shader key that both kernels share, for a piece. */
function shared({ weight, perturbation, plane, planes }: Tiled, i: number) {
  const { layout } = weight;
  const bound = bindPerturbation(perturbation);
  const own = planes?.[i];
  const unit = unitColumns(weight, perturbation);
  // The scales of a super-block are loaded together, others one at a time.
  const load = layout.kind === "super"
    ? scaleLoad(weight, unit)
    : { SCALE_UNITS: 1, SCALE_VECTOR: false };
  return {
    ...{ bound, unit },
    key: {
      ...layoutKey(layout),
      ...bound.key,
      ...planeKey(weight, { perturbation, plane }, own),
      ...load,
      CODE_WORDS: codeWords(layout, weight.columns),
      VECTOR: weight.rows % 4 === 0,
      WINDOW: "none",
      FUSED: false,
    },
    plane: own ? boundPlane(weight, own) : weight.codebook,
  };
}

/** Records the gradient with respect to the input of a product into `y`. The layout of the weights must satisfy {@linkcode hasWords}. */
export function inputTiles(graph: Graph, slope: Value, product: Tiled, y: Value): void {
  const { weight, rows, perturbation, adapterClass } = product;
  const ROWS = adapterClass === "software" && rows >= 8 ? 8 : 4;
  const WORKGROUP = adapterClass === "software" ? 16 : 64;
  weight.pieces.forEach((piece, i) => {
    const { bound, unit, key, plane } = shared(product, i);
    graph.add({
      label: `input adjoint ${weight.name}`,
      source: inputSource,
      key: { ...key, ROWS, COLS: 4, COL_QUADS: 1, WORKGROUP, ADDS: i > 0 },
      reads: { 1: piece.codes, 2: slope, 4: piece.scales, 5: plane, ...bound.reads },
      writes: { 3: y },
      parameters: [
        rows,
        weight.columns,
        piece.rows,
        piece.firstRow,
        weight.rows,
        unit,
        ...ratios(weight, perturbation, unit),
        scaleGroups(weight),
        rowQuads(piece),
        ...bound.parameters,
        0,
      ],
      firstGroup: 13,
      work: rows * weight.columns * piece.rows,
      workgroups: Math.ceil(Math.ceil(rows / ROWS) * weight.columns / 32 / WORKGROUP),
    });
  });
}

/** Number of outputs from which tiles are as wide as those of the product. */
const MANY_OUTPUTS = 256;

/** Records the gradient with respect to the offsets of scales, one per row and span. Adds it to `gradient`. */
export function scaleTiles(
  graph: Graph,
  x: Operand,
  slope: Value,
  product: Tiled & { readonly perturbation: Perturbation },
  gradient: Range,
): void {
  const { weight, rows, perturbation, adapterClass } = product;
  const isSoftware = adapterClass === "software";
  const ROWS = isSoftware && rows >= 8 ? 8 : 4;
  // The derivative with respect to an absolute offset does not depend on the scale, but zero points are stored next to the scales.
  const usesScales = perturbation.form === "relative" || isPaired(weight.layout);
  weight.pieces.forEach((piece, i) => {
    const { bound, unit, key, plane } = shared(product, i);
    const COLS = !isSoftware ? 4 : piece.rows >= MANY_OUTPUTS && rows >= 32 ? 16 : 8;
    const WORKGROUP = isSoftware ? 16 : 64;
    const units = Math.ceil(weight.columns / unit);
    const [perGroup, perSpan] = ratios(weight, perturbation, unit);
    const columnTiles = Math.ceil(piece.rows / COLS);
    graph.add({
      label: `weight adjoint ${weight.name}`,
      source: scaleSource,
      key: { ...key, ROWS, COLS, COL_QUADS: COLS / 4, WORKGROUP },
      reads: { 1: piece.codes, 2: slope, 4: usesScales ? piece.scales : undefined, 5: plane, 6: x },
      writes: { 3: gradient },
      parameters: [
        rows,
        weight.columns,
        piece.rows,
        piece.firstRow,
        weight.rows,
        unit,
        units,
        perGroup,
        perSpan,
        scaleGroups(weight),
        rowQuads(piece),
        columnTiles,
        ...bound.parameters,
        0,
      ],
      firstGroup: 15,
      work: rows * weight.columns * piece.rows,
      workgroups: Math.ceil(columnTiles * Math.ceil(units / perSpan) / WORKGROUP),
    });
  });
}
