/**
 * Which tile a matrix product uses. Software adapters want wide register tiles and no workgroup memory; the choice is
 * keyed on the adapter's class and the shape, and was measured (bench/).
 *
 * @module
 */

import type { Layout } from "../quant/layout.ts";
import type { AdapterClass } from "./gpu.ts";

/** A register tile and the invocations of a workgroup. */
export interface Tile {
  readonly rows: number;
  /** A multiple of 4: neighbouring columns share a call of the generator. */
  readonly columns: number;
  readonly workgroup: number;
}

/** The tile for `rows` rows a branch and `outputs` columns. */
export function chooseTile(
  adapterClass: AdapterClass,
  _layout: Layout,
  rows: number,
  branches: number,
  _outputs: number,
): Tile {
  if (rows * branches <= 2) return { rows: rows * branches, columns: 4, workgroup: 32 };
  if (rows < 8) return { rows: 4, columns: 4, workgroup: 32 };
  return { rows: 8, columns: 8, workgroup: adapterClass === "software" ? 32 : 64 };
}
