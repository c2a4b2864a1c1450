/**
 * Quantised and dense matrix products of all branches in one dispatch, with the noise fused into the scales.
 *
 * @module
 */

import type { Layout } from "../quant/layout.ts";
import type { AdapterClass } from "./gpu.ts";
import type { Graph, Range, Value } from "./graph.ts";
import type { DeviceTensor } from "./tensor.ts";
import type { Storage } from "./storage.ts";
import type { ShaderKey } from "./template.ts";
import { type Perturbation, perturbationKey } from "./perturbation.ts";
import { chooseTile, type Tile } from "./tiles.ts";
import register from "./wgsl/matmul_register.wgsl" with { type: "text" };

/** What a matrix product takes besides its input and weights. */
export interface MatmulOptions {
  /** Rows of one branch (M). */
  readonly rows: number;
  /** Branches (B). */
  readonly branches: number;
  /** Added to every row; `[N]`. */
  readonly bias?: Storage | undefined;
  /** Added to the result; `[B][M][N]`. */
  readonly residual?: Value | undefined;
  /** Offsets and noise on the weights. */
  readonly perturbation?: Perturbation | undefined;
  /** The kind of adapter, which decides the tile. */
  readonly adapterClass: AdapterClass;
  /** Overrides the tile. */
  readonly tile?: Tile | undefined;
}

/**
 * Records `y[b, m, n] = sum_k W_b[n, k] x[b, m, k]` (+ bias + residual).
 *
 * `x` is `[B][M][K]`, the result `[B][M][N]`. `W_b` is the tensor with branch `b`'s scales: `base + offset` or
 * `base * (1 + offset)`, `offset = w + amplitude_b * z(seed_b)`.
 */
export function matmul(
  graph: Graph,
  x: Value | Storage | Range,
  weight: DeviceTensor,
  options: MatmulOptions,
): Value {
  const { rows, branches, bias, residual, perturbation } = options;
  const y = graph.value(`${weight.name} product`, rows * branches * weight.rows);
  const layout = weight.layout;
  for (const piece of weight.pieces) {
    const tile = options.tile ??
      chooseTile(options.adapterClass, layout, rows, branches, piece.rows);
    const mixed = rows < tile.rows;
    const totalRows = rows * branches;
    const rowTiles = Math.ceil(rows / tile.rows);
    const tiles = mixed ? Math.ceil(totalRows / tile.rows) : rowTiles * branches;
    const columnTiles = Math.ceil(piece.rows / tile.columns);
    const units = unitColumns(weight, perturbation);
    graph.add({
      label: `matmul ${weight.name}`,
      source: register,
      key: {
        ...layoutKey(layout),
        ...perturbationKey(perturbation),
        ROWS: tile.rows,
        COLS: tile.columns,
        COL_QUADS: tile.columns / 4,
        WORKGROUP: tile.workgroup,
        MIXED: mixed,
        BIAS: bias !== undefined,
        RESIDUAL: residual !== undefined,
      },
      reads: {
        1: piece.codes,
        2: x,
        4: piece.scales,
        5: weight.codebook,
        6: bias,
        7: residual,
        8: perturbation?.offsets,
        9: perturbation?.noise?.branches,
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
        weight.groups,
        perturbation?.stride ?? 0,
        perturbation?.id ?? 0,
        rowTiles,
        totalRows,
        columnTiles,
      ],
      workgroups: Math.ceil(tiles * columnTiles / tile.workgroup),
    });
  }
  return y;
}

/** Columns that one partial dot product covers: the finer of scale group and offset span. */
function unitColumns(weight: DeviceTensor, perturbation: Perturbation | undefined): number {
  if (weight.layout.kind === "dense") return weight.columns;
  return Math.min(weight.groupColumns, perturbation?.span ?? weight.columns);
}

function ratios(
  weight: DeviceTensor,
  perturbation: Perturbation | undefined,
  unit: number,
): number[] {
  if (weight.layout.kind === "dense") return [1, 1];
  const span = perturbation?.span ?? weight.columns;
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

/** The part of a shader key that says how to unpack `layout`. */
export function layoutKey(layout: Layout): ShaderKey {
  const scalar = layout.kind === "scalar" ? layout : undefined;
  const plane = scalar ? (scalar.bits === 3 ? 2 : scalar.bits) : 8;
  return {
    LAYOUT: layout.kind,
    DENSE: layout.kind === "dense" ? layout.type : "none",
    BITS: scalar?.bits ?? 0,
    PLANE_BITS: plane,
    QUADS_PER_WORD: 8 / plane,
    MASK: (0x01010101 * ((1 << plane) - 1)) >>> 0,
    SECOND: scalar?.second ?? "none",
    CENTER: scalar?.center ?? 0,
    BOOKS: layout.kind === "codebook" ? layout.books : 0,
  };
}
