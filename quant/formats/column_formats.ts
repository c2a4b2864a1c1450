/**
 * Formats where every column has scales of its own: `int4c_r64` is `scale * (q - zero)` with f16 scales and zero points per column
 * for 64 classes of rows. They are what HQQ along axis 0 becomes.
 *
 * @module
 */

import type { Format } from "./format.ts";
import type { ColumnLayout } from "../layouts/layout.ts";
import { planeFormat } from "./plane_format.ts";

/**
 * The format of a column layout: `int{2,3,4,8}c_r{classes}`.
 *
 * @example A name says all
 * ```ts
 * import { columnFormat } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(columnFormat({ kind: "column", bits: 4, classes: 64 }).name, "int4c_r64");
 * ```
 */
export function columnFormat(layout: ColumnLayout): Format {
  return planeFormat(`int${layout.bits}c_r${layout.classes}`, layout);
}

/** The column format of a name, if it is one. */
export function columnFormatByName(name: string): Format | undefined {
  const match = /^int([2348])c_r([1-9]\d{0,6})$/.exec(name);
  if (!match || Number(match[2]) % 4 !== 0) return undefined;
  const bits = Number(match[1]) as ColumnLayout["bits"];
  return columnFormat({ kind: "column", bits, classes: Number(match[2]) });
}
