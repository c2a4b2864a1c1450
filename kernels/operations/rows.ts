/**
 * How reductions over rows are divided: one row per invocation on software adapters, one row per workgroup on GPUs. The shader's side is rows.wgsl.
 *
 * @module
 */

import type { AdapterClass } from "../device/gpu.ts";
import type { Dispatch } from "../device/graph.ts";

/** Rows per workgroup if each invocation has its own row. */
const ROWS_OF_A_GROUP = 8;

/** The part of a dispatch's key that divides `rows` rows, and its number of workgroups. On GPUs, `wide` lanes share a row. */
export function splitRows(
  adapterClass: AdapterClass,
  rows: number,
  wide: number,
): Pick<Dispatch, "key" | "workgroups"> {
  return adapterClass === "software"
    ? {
      key: { LANES: 1, WORKGROUP: ROWS_OF_A_GROUP },
      workgroups: Math.ceil(rows / ROWS_OF_A_GROUP),
    }
    : { key: { LANES: wide, WORKGROUP: wide }, workgroups: rows };
}
