/**
 * The dispatches of a matrix product: kernels, tiles, windows of rows, and shader parameters.
 *
 * @module
 */

import { elementType, isQuantised, isRelativeOnly } from "../../quant/layouts/layout.ts";
import { planeBits } from "../../quant/layouts/scalar_codes.ts";
import type { AdapterClass } from "../device/gpu.ts";
import type { Graph, Value, ValueRange } from "../device/graph.ts";
import type { Operand } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import type { ShaderKey } from "../device/template.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import { bindPerturbation } from "../offsets/bind.ts";
import { checkWeightOffsets } from "../offsets/offset_set.ts";
import type { Perturbation } from "../offsets/perturbation.ts";
import { codeWords, layoutKey, scaleGroups, scaleLoad, UNIFORM_BYTES } from "./layout_key.ts";
import { boundPlane, moveMinima, planeKey, rowQuads } from "./perturbed_plane.ts";
import { chooseTile, type Tile } from "./tiles.ts";
import register from "./matmul_register.wgsl.ts";
import tiled from "./matmul_tile.wgsl.ts";
import vector from "./matvec.wgsl.ts";

/** Options of a matrix product. */
export interface MatmulOptions {
  /** Rows per branch (M). */
  readonly rows: number;
  /** Number of branches (B). */
  readonly branches: number;
  /** Added to every row: `[N]`, or `[B][N]` with one bias per branch. */
  readonly bias?: Storage | Value | undefined;
  /** Origin of the bias, if it is trained. Needed for the gradient with respect to its offsets. */
  readonly biasOf?:
    | { readonly tensor: DeviceTensor; readonly perturbation: Perturbation }
    | undefined;
  /** Added to the result, `[B][M][N]`. */
  readonly residual?: Value | Storage | undefined;
  /** Offsets and noise of the scales, or of a dense tensor's elements. */
  readonly perturbation?: Perturbation | undefined;
  /** Offsets and noise of the codebook entries, or of the minima (zero points). */
  readonly plane?: Perturbation | undefined;
  /** Class of the adapter, which determines the tile. */
  readonly adapterClass: AdapterClass;
  /** Overrides the choice of tile. */
  readonly tile?: Tile | undefined;
}

/** Options of a product within a graph: its result, and the values that differ by branch. */
export interface ProductOptions extends MatmulOptions {
  /** Result, `[B][M][N]`. */
  readonly y: Value;
  /** Planes that vary by branch, one per piece; see {@linkcode perturbedPlanes}. */
  readonly planes?: readonly Value[] | undefined;
  /** Whether all products use the first branch's x and are added to the branches after the first. Default false. */
  readonly adds?: boolean;
  /**
   * Whether a tile combines rows of the first branch with their tangents along a direction, so that the weights are
   * read once. Default false.
   */
  readonly fused?: boolean;
}

/**
 * The tile of a register kernel that combines rows with their tangents. Undefined if another kernel is used or every
 * weight has its own noise.
 */
export function fusedTile(
  { layout, rows: outputs }: DeviceTensor,
  { adapterClass, rows, tile: given }: MatmulOptions,
): Tile | undefined {
  if (layout.kind === "dense" || !given && adapterClass === "hardware") return undefined;
  const tile = given ?? chooseTile("software", layout, 2 * rows, 1, outputs, { apart: true });
  return (tile.kernel ?? "register") === "register" && tile.rows % 2 === 0 ? tile : undefined;
}

/** Records the dispatches of a product. Its result is `options.y`. */
export function recordProduct(
  graph: Graph,
  x: Operand,
  weight: DeviceTensor,
  options: ProductOptions,
): void {
  const { rows, branches, bias, residual, perturbation, plane, y, planes } = options;
  const { adds = false, fused = false } = options;
  const layout = weight.layout;
  const bound = bindPerturbation(perturbation);
  for (const [i, piece] of weight.pieces.entries()) {
    const apart = plane !== undefined || adds;
    const tile = options.tile ??
      chooseTile(options.adapterClass, layout, rows, branches, piece.rows, { apart, adds });
    const totalRows = rows * branches;
    const tileRows = fused ? tile.rows / 2 : tile.rows;
    const rowTiles = Math.ceil(rows / tileRows);
    const columnTiles = Math.ceil(piece.rows / tile.columns);
    const kernel = kernelOf(tile, weight, options, rowTiles * columnTiles);
    const units = unitColumns(weight, perturbation);
    const own = planes?.[i];
    const windows = kernel.source === register && options.adapterClass === "software"
      ? rowWindows(x, weight.columns, piece.rows, tile, options)
      : undefined;
    // Rows and their tangents are in two ranges even if one window holds all rows.
    const apartRows = windows !== undefined &&
      (windows.length > 1 || windows[0].moved !== undefined);
    for (const window of windows ?? [{ first: 0, end: totalRows, x, moved: undefined }]) {
      const tiles = Math.ceil((window.end - window.first) / tileRows) * columnTiles;
      graph.add({
        label: `matmul ${weight.name}`,
        source: kernel.source,
        key: {
          ...layoutKey(layout),
          ...bound.key,
          ...kernel.key,
          ...planeKey(weight, options, own),
          ...scaleKey(weight, units, kernel.source === register),
          UNIT_BLOCKS: units === 32 ? 1 : 0,
          WINDOW: windows === undefined ? "none" : apartRows ? "rows" : "all",
          BIAS: bias !== undefined,
          BIAS_BY_BRANCH: bias !== undefined && "words" in bias,
          RESIDUAL: residual !== undefined,
          ADDS: adds,
          FUSED: fused,
          ...(fused ? { HALF: tileRows } : {}),
        },
        reads: {
          1: piece.codes,
          2: window.x,
          4: piece.scales,
          5: own && kernel.source === register ? boundPlane(weight, own) : own ?? weight.codebook,
          6: bias,
          7: residual,
          10: window.moved,
          ...bound.reads,
        },
        writes: { 3: y },
        parameters: [
          rows,
          weight.columns,
          piece.rows,
          piece.firstRow,
          weight.rows,
          units,
          Math.ceil(weight.columns / units),
          ...ratios(weight, perturbation, units),
          scaleGroups(weight),
          ...bound.parameters,
          rowTiles,
          totalRows,
          columnTiles,
          window.first,
          window.end,
          rowQuads(piece),
          0,
        ],
        firstGroup: 19,
        work: (window.end - window.first) * weight.columns * piece.rows * (fused ? 2 : 1),
        workgroups: apartRows ? Math.ceil(tiles / tile.workgroup) : kernel.workgroups,
      });
    }
  }
}

/** Multiply-adds below which a separate dispatch, which cannot overlap with others, costs more than it saves (measured). */
const WINDOW_WORK = 2 ** 22;

interface RowWindow {
  readonly first: number;
  readonly end: number;
  readonly x: ValueRange;
  /** The tangents of these rows, if they are computed together. */
  readonly moved?: ValueRange;
}

/**
 * On software adapters, splits the rows into windows that fit a uniform binding: one window with all rows, or several,
 * each within one branch and with its own dispatch. Undefined if that does not pay off or the windows would not be
 * aligned.
 */
function rowWindows(
  x: Operand,
  columns: number,
  outputs: number,
  tile: Tile,
  { rows, branches, adds, fused }: ProductOptions,
): RowWindow[] | undefined {
  if (!("words" in x)) return undefined;
  const rowBytes = columns * 4;
  const bytes = UNIFORM_BYTES;
  const held = adds ? 1 : fused ? 1 + branches : branches;
  if (rows * held * rowBytes <= bytes) {
    return [{ first: 0, end: rows * branches, x: { value: x, offset: 0, bytes } }];
  }
  const perWindow = Math.floor(bytes / rowBytes / tile.rows) * tile.rows;
  if (rows < tile.rows || perWindow === 0) return undefined;
  if (Math.min(perWindow, rows) * columns * outputs < WINDOW_WORK) return undefined;
  if (rows * rowBytes % 256 !== 0 || perWindow * rowBytes % 256 !== 0) return undefined;
  const windows: RowWindow[] = [];
  for (let b = 0; b < branches; b++) {
    for (let row = 0; row < rows; row += perWindow) {
      const first = b * rows + row;
      const end = b * rows + Math.min(rows, row + perWindow);
      const from = adds || fused ? row : first;
      windows.push({
        ...{ first, end, x: { value: x, offset: from * rowBytes, bytes } },
        ...(fused ? { moved: { value: x, offset: (first + rows) * rowBytes, bytes } } : {}),
      });
    }
  }
  return windows;
}

/** What a kernel contributes to a dispatch: its text, its constants and the number of its workgroups. */
interface Kernel {
  readonly source: string;
  readonly key: ShaderKey;
  readonly workgroups: number;
}

function kernelOf(
  tile: Tile,
  { layout, columns: inputs }: DeviceTensor,
  options: ProductOptions,
  branchTiles: number,
): Kernel {
  const { rows, branches, plane, adds, fused } = options;
  const { columns, workgroup } = tile;
  if (tile.kernel === "vector") {
    if (columns !== 4) {
      throw new RangeError(
        `Cannot multiply few rows by ${columns} columns per workgroup: expected 4`,
      );
    }
    const words = "center" in layout && layoutKey(layout).GRID === "none";
    const items = words ? planeBits(layout.bits)[0] : 8;
    return {
      source: vector,
      key: {
        ROWS: rows,
        BRANCHES: branches,
        TOTAL: rows * branches,
        WORKGROUP: workgroup,
        CODE_WORDS: 0,
        BLOCK_ITEMS: items,
        ITEM_QUADS: 8 / items,
        STAGED: 32,
        SHIFTED: layoutKey(layout).SECOND === "min" || plane !== undefined && "second" in layout,
        SHIFT_BRANCHES: plane || moveMinima(layout, options) ? branches : 1,
      },
      workgroups: branchTiles,
    };
  }
  if (tile.kernel === "tiled") {
    const perRows = 4;
    const perColumns = 4;
    const laneRows = tile.rows / perRows;
    const laneColumns = columns / perColumns;
    if (laneRows * laneColumns !== workgroup || tile.rows % 8 !== 0 || columns % 8 !== 0) {
      throw new RangeError(
        `Cannot split a tile of ${tile.rows} x ${columns} among ${workgroup} invocations: each computes 4 x 4`,
      );
    }
    return {
      source: tiled,
      key: {
        CODE_WORDS: 0,
        ROWS: tile.rows,
        COLS: columns,
        COL_QUADS: columns / 4,
        PER_ROWS: perRows,
        PER_COLS: perColumns,
        LANE_ROWS: laneRows,
        LANE_COLS: laneColumns,
        WORKGROUP: workgroup,
      },
      workgroups: branchTiles * branches,
    };
  }
  // A tile across several branches would need the books or minima of each of them.
  const mixed = rows < tile.rows && !plane && !adds && !fused;
  const words = codeWords(layout, inputs);
  const tiles = mixed
    ? Math.ceil(rows * branches / tile.rows) * branchTiles
    : branchTiles * branches;
  return {
    source: register,
    key: {
      ROWS: tile.rows,
      COLS: columns,
      COL_QUADS: columns / 4,
      WORKGROUP: workgroup,
      MIXED: mixed,
      CODE_WORDS: words,
      DENSE_QUADS: words === 4 && (elementType(layout) ?? "f32") !== "f32" ? 2 : 1,
    },
    workgroups: Math.ceil(tiles / workgroup),
  };
}

/**
 * Number of units whose scales the register kernel loads at once, and whether the load is a four-word vector. It loads
 * the units of four words if rows are aligned to four words; for super-blocks, all units of the super-block, or the
 * exponents in one word.
 */
function scaleKey(weight: DeviceTensor, unit: number, held: boolean): ShaderKey {
  return held ? scaleLoad(weight, unit) : { SCALE_UNITS: 1, SCALE_VECTOR: false };
}

/** Number of columns in one partial dot product: the smaller of scale group and offset span. */
export function unitColumns(weight: DeviceTensor, perturbation: Perturbation | undefined): number {
  if (!isQuantised(weight.layout)) return weight.columns;
  if (isRelativeOnly(weight.layout)) return 32;
  return Math.min(weight.groupColumns, perturbation?.span ?? weight.columns);
}

/**
 * Number of units in a scale group, and in the span of an offset.
 *
 * @throws {RangeError} when neither divides the other.
 */
export function ratios(
  weight: DeviceTensor,
  perturbation: Perturbation | undefined,
  unit: number,
): number[] {
  if (!isQuantised(weight.layout)) return [1, 1];
  const span = perturbation?.span ?? weight.columns;
  if (isRelativeOnly(weight.layout)) {
    if (perturbation) checkWeightOffsets(weight.name, weight.columns, perturbation.form, span);
    return [1, Math.ceil(span / unit)];
  }
  if (
    weight.groupColumns % unit !== 0 && weight.groupColumns !== weight.columns ||
    span % unit !== 0 && span !== weight.columns
  ) {
    throw new RangeError(
      `Cannot train tensor "${weight.name}" with one offset per ${span} columns: its scales span ${weight.groupColumns}; one must divide the other`,
    );
  }
  return [Math.ceil(weight.groupColumns / unit), Math.ceil(span / unit)];
}
