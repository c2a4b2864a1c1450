/**
 * Formats in which every column has its own scales. `int4c_r64` is `scale * (q - zero)` with one f16 scale and zero
 * point per column for each of 64 classes of rows. HQQ tensors along axis 0 are loaded into these formats.
 *
 * @module
 */

import type { Format } from "./format.ts";
import type { ColumnLayout } from "../layouts/layout.ts";
import { planeFormat } from "./plane_format.ts";

/**
 * The format of a column layout. Its name is `int{2,3,4,8}c_r{classes}`.
 *
 * @example A format from its name
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

/** The column format with this name, or undefined if it is not such a name. */
export function columnFormatByName(name: string): Format | undefined {
  const match = /^int([2348])c_r([1-9]\d{0,6})$/.exec(name);
  if (!match || Number(match[2]) % 4 !== 0) return undefined;
  const bits = Number(match[1]) as ColumnLayout["bits"];
  return columnFormat({ kind: "column", bits, classes: Number(match[2]) });
}
