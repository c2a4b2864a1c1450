/**
 * Chooses the kernel and tile of a matrix product. Software adapters are fastest with wide register tiles and no
 * workgroup memory, GPUs with the opposite. The choice depends on the adapter's class and the shape; for software
 * adapters it was measured (bench/matmul.ts).
 *
 * @module
 */

import type { Layout } from "../../quant/layouts/layout.ts";
import type { AdapterClass } from "../device/gpu.ts";

/** How the work of a matrix product is divided. */
export interface Tile {
  /**
   * `"register"`: one invocation computes the tile without workgroup memory. `"tiled"`: a workgroup computes it through
   * workgroup memory, 4 x 4 elements per invocation. `"vector"`: a workgroup computes `columns` columns of all rows and
   * branches, and its invocations split K. Default: `"register"`.
   */
  readonly kernel?: "register" | "tiled" | "vector";
  /** Rows per tile. */
  readonly rows: number;
  /** Columns per tile, a multiple of 4, because four neighbouring columns share one call of the generator. */
  readonly columns: number;
  /** Invocations per workgroup. */
  readonly workgroup: number;
}

/**
 * The kernel and tile for `rows` rows per branch and `outputs` columns. Set `apart` if a register tile must stay within
 * one branch, and `adds` if products are added to existing values, which the vector kernel cannot do.
 */
export function chooseTile(
  adapterClass: AdapterClass,
  _layout: Layout,
  rows: number,
  branches: number,
  outputs: number,
  { apart = false, adds = false }: { readonly apart?: boolean; readonly adds?: boolean } = {},
): Tile {
  return adapterClass === "software"
    ? softwareTile(rows, apart ? 1 : branches, outputs)
    : hardwareTile(rows, branches, adds);
}

/** Number of rows (of all branches) up to which reading the weights limits a GPU, so that tiling rows does not pay off. */
const vectorRows = 8;

function hardwareTile(rows: number, branches: number, adds: boolean): Tile {
  if (!adds && rows * branches <= vectorRows) {
    return { kernel: "vector", rows, columns: 4, workgroup: 64 };
  }
  // 64 x 32 unpacks each weight once for 64 rows and fits 16 KiB of workgroup memory.
  return rows <= 16
    ? { kernel: "tiled", rows: 16, columns: 64, workgroup: 64 }
    : { kernel: "tiled", rows: 64, columns: 32, workgroup: 128 };
}

/**
 * Number of outputs from which a matrix counts as large: wide tiles leave no core idle, and their longer compilation
 * (1.1 s rather than 0.4 s) pays off.
 */
const manyOutputs = 256;

function softwareTile(rows: number, branches: number, outputs: number): Tile {
  const total = rows * branches;
  const large = outputs >= manyOutputs;
  // A load costs a software adapter about ten vector operations, so each value of x should serve as many columns as
  // registers (and the compiler's patience) allow. Small workgroups spread what few tiles there are over the cores.
  if (rows < 8) {
    return { rows: total <= 2 ? total : 4, columns: large ? 16 : 4, workgroup: large ? 8 : 32 };
  }
  return large && total >= 32
    ? { rows: 8, columns: 16, workgroup: 16 }
    : { rows: 8, columns: 8, workgroup: 32 };
}
