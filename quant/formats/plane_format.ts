/**
 * Formats whose file form is the planes themselves: dense elements and this library's own formats.
 *
 * @module
 */

import type { Format, GgufBlocks } from "./format.ts";
import { elementType, isQuantised, type Layout, type PackedTensor } from "../layouts/layout.ts";
import { rulesOf } from "../layouts/layout_table.ts";
import { checkPacked, checkShape, emptyPacked, planeBytes, sameLayout } from "../layouts/planes.ts";

/** A format named `name` that stores the planes of `layout` one after the other: codes, scales, codebook. */
export function planeFormat(name: string, layout: Layout, gguf?: GgufBlocks): Format {
  return {
    name,
    layout,
    gguf,
    rowBytes: (columns) => planeRowBytes(layout, columns),
    unpack(bytes, rows, columns, memory): PackedTensor {
      const t = emptyPacked(layout, rows, columns, memory);
      checkLength(name, bytes, t);
      let from = 0;
      for (const plane of planes(t)) {
        plane.set(bytes.subarray(from, from + plane.length));
        from += plane.length;
      }
      return t;
    },
    adopt: elementType(layout)
      ? (bytes, rows, columns) => {
        // An odd number of 16-bit elements is padded in memory but not in the file.
        if (bytes.length % 4 !== 0 || bytes.length !== bytes.buffer.byteLength) return undefined;
        const t = {
          ...emptyPacked(layout, 0, columns),
          rows,
          codes: new Uint32Array(bytes.buffer),
        };
        checkLength(name, bytes, t);
        checkPacked(t);
        return t;
      }
      : undefined,
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

function checkLength(name: string, bytes: Uint8Array, t: PackedTensor): void {
  const length = planesByteLength(t);
  if (bytes.length === length) return;
  throw new TypeError(
    `Cannot unpack ${t.rows} x ${t.columns} of ${name}: ${bytes.length} bytes, expected ${length}`,
  );
}

function planeRowBytes(layout: Layout, columns: number): number {
  checkShape(layout, 1, columns);
  return rulesOf(layout).rowBytes(layout, columns);
}

// With an odd number of 16-bit elements, the last word is padded but the file is not.
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
