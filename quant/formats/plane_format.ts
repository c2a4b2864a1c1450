/**
 * Formats whose file form is the planes themselves: dense elements and this library's own formats.
 *
 * @module
 */

import type { Format, GgufBlocks } from "./format.ts";
import { isQuantised, type Layout, type PackedTensor } from "../layouts/layout.ts";
import { rulesOf } from "../layouts/layout_table.ts";
import { checkPacked, checkShape, emptyPacked, planeBytes, sameLayout } from "../layouts/planes.ts";

/** A format named `name` that stores the planes of `layout` one after the other: codes, scales, codebook. */
export function planeFormat(name: string, layout: Layout, gguf?: GgufBlocks): Format {
  return {
    name,
    layout,
    gguf,
    rowBytes: (columns) => planeRowBytes(layout, columns),
    unpack(bytes, rows, columns): PackedTensor {
      const t = emptyPacked(layout, rows, columns);
      const length = planesByteLength(t);
      if (bytes.length !== length) {
        throw new TypeError(
          `Cannot unpack ${rows} x ${columns} of ${name}: ${bytes.length} bytes, expected ${length}`,
        );
      }
      let from = 0;
      for (const plane of planes(t)) {
        plane.set(bytes.subarray(from, from + plane.length));
        from += plane.length;
      }
      return t;
    },
    pack(t): Uint8Array<ArrayBuffer> {
      checkLayout(name, layout, t);
      const bytes = new Uint8Array(planesByteLength(t));
      let to = 0;
      for (const plane of planes(t)) {
        bytes.set(plane, to);
        to += plane.length;
      }
      return bytes;
    },
  };
}

/** @throws {TypeError} when a tensor does not have the format's layout or its planes do not fit. */
export function checkLayout(name: string, layout: Layout, t: PackedTensor): void {
  if (!sameLayout(layout, t.layout)) {
    throw new TypeError(
      `Cannot pack a tensor of layout ${JSON.stringify(t.layout)} as ${name}: ` +
        `it needs ${JSON.stringify(layout)}`,
    );
  }
  checkPacked(t);
}

function planeRowBytes(layout: Layout, columns: number): number {
  checkShape(layout, 1, columns);
  return rulesOf(layout).rowBytes(layout, columns);
}

// 16-bit elements may be odd in number: the file has no padding, the last word has.
function planesByteLength(t: PackedTensor): number {
  if (!isQuantised(t.layout)) return t.rows * planeRowBytes(t.layout, t.columns);
  return 4 * (t.codes.length + t.scales.length + t.codebook.length);
}

function planes(t: PackedTensor): Uint8Array<ArrayBuffer>[] {
  if (!isQuantised(t.layout)) {
    return [planeBytes(t.codes).subarray(0, planesByteLength(t))];
  }
  return [planeBytes(t.codes), planeBytes(t.scales), planeBytes(t.codebook)];
}
