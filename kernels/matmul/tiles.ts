/**
 * Which kernel and tile a matrix product uses. Software adapters want wide register tiles and no workgroup memory, GPUs the
 * opposite; the choice is keyed on the adapter's class and the shape, and on software it was measured (bench/matmul.ts).
 *
 * @module
 */

import type { Layout } from "../../quant/layouts/layout.ts";
import type { AdapterClass } from "../device/gpu.ts";

/** How a matrix product is split. */
export interface Tile {
  /**
   * `"register"`: one invocation computes the tile, without workgroup memory. `"tiled"`: a workgroup does, through
   * workgroup memory, 4 x 4 an invocation. `"vector"`: a workgroup computes `columns` columns of all rows and branches,
   * its invocations split K. Default: `"register"`.
   */
  readonly kernel?: "register" | "tiled" | "vector";
  /** Rows of a tile. */
  readonly rows: number;
  /** A multiple of 4: neighbouring columns share a call of the generator. */
  readonly columns: number;
  /** Invocations of a workgroup. */
  readonly workgroup: number;
}

/**
 * The kernel and tile for `rows` rows a branch and `outputs` columns; `apart` where a register tile must stay in one branch, `adds` where
 * products are added to what is there, which the vector kernel does not.
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

/** Rows (of all branches) up to which a GPU is bound by reading weights, so that no row tile pays. */
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

/** Outputs from which a matrix is large: wide tiles leave no core idle and their longer compilation (1.1 s, not 0.4) pays. */
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
