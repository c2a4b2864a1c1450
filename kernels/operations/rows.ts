/**
 * How reductions over rows are split: a software adapter wants a row to an invocation, a GPU the lanes of a workgroup on each row. The shader's side
 * is rows.wgsl.
 *
 * @module
 */

import type { AdapterClass } from "../device/gpu.ts";
import type { Dispatch } from "../device/graph.ts";

/** Rows of a workgroup whose every invocation has its own. */
const ROWS_OF_A_GROUP = 8;

/** The part of a dispatch's key that splits `rows` rows, on GPUs among `wide` lanes each, and its workgroups. */
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
