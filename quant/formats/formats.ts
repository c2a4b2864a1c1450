/**
 * The table of formats. To add a family, write a file that exports a list of entries and add one line here.
 *
 * @module
 */

import { CODEBOOK_FORMATS, codebookFormat, codebookFormatByName } from "./codebook_formats.ts";
import { columnFormat, columnFormatByName } from "./column_formats.ts";
import { DENSE_FORMATS } from "./dense_formats.ts";
import type { Format } from "./format.ts";
import { GGUF_BLOCK_FORMATS } from "./gguf_block_formats.ts";
import { GGUF_FIVE_BITS } from "./gguf_five_bits.ts";
import { GGUF_GRID_FORMATS } from "./gguf_grid_formats.ts";
import { GGUF_SUPER_FORMATS } from "./gguf_super_formats.ts";
import { GGUF_TERNARY } from "./gguf_ternary.ts";
import { GROUP_FORMATS } from "./group_formats.ts";
import { type Layout, planeWords } from "../layouts/layout.ts";
import { nearestNames } from "../nearest_names.ts";
import { sameLayout } from "../layouts/planes.ts";

/**
 * Every format that can be loaded, trained and written. Codebooks of other sizes and column formats are not listed;
 * {@linkcode formatByName} constructs them from their names.
 */
export const FORMATS: readonly Format[] = [
  ...DENSE_FORMATS,
  ...GGUF_BLOCK_FORMATS,
  ...GGUF_FIVE_BITS,
  ...GGUF_SUPER_FORMATS,
  ...GGUF_TERNARY,
  ...GGUF_GRID_FORMATS,
  ...GROUP_FORMATS,
  ...CODEBOOK_FORMATS,
];

const byName = new Map(FORMATS.map((format) => [format.name, format]));
const byGgufType = new Map(
  FORMATS.flatMap((format) => format.gguf === undefined ? [] : [[format.gguf.type, format]]),
);

/**
 * The format with this exact name.
 *
 * @throws {RangeError} suggesting the closest known names.
 *
 * @example Bits per weight
 * ```ts
 * import { bitsPerWeight, formatByName } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bitsPerWeight(formatByName("Q4_0"), 4096, 4096), 4.5);
 * assertEquals(bitsPerWeight(formatByName("int4_g128"), 4096, 4096), 4.125);
 * ```
 */
export function formatByName(name: string): Format {
  const format = byName.get(name) ?? codebookFormatByName(name) ?? columnFormatByName(name);
  if (format === undefined) {
    const near = nearestNames(name, byName.keys());
    throw new RangeError(
      `Cannot find format "${name}": ` +
        (near.length > 0
          ? `did you mean ${near.join(", ")}?`
          : `for example F16, Q4_0, int4_g128.`),
    );
  }
  return format;
}

/** The format that stores the planes of a layout unchanged, or undefined if there is none. */
export function formatOfLayout(layout: Layout): Format | undefined {
  return FORMATS.find((format) => !format.gguf && sameLayout(format.layout, layout)) ??
    (layout.kind === "codebook" ? codebookFormat(layout) : undefined) ??
    (layout.kind === "column" ? columnFormat(layout) : undefined);
}

/** The format with this GGUF type number, or undefined if this library cannot read it. */
export function formatByGgufType(type: number): Format | undefined {
  return byGgufType.get(type);
}

/**
 * Bits per element of a `rows x columns` tensor as a file in this format stores it, with scales and codebook.
 *
 * @example Four bits, and an f16 scale per 32 columns
 * ```ts
 * import { bitsPerWeight, formatByName } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bitsPerWeight(formatByName("Q4_0"), 64, 64), 4.5);
 * ```
 */
export function bitsPerWeight(format: Format, rows: number, columns: number): number {
  // The points of a grid are in no file.
  const codebook = format.gguf ? 0 : planeWords(format.layout, 0, columns).codebook * 32;
  return (format.rowBytes(columns) * rows * 8 + codebook) / (rows * columns);
}
