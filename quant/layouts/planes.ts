/**
 * Views of the planes of a packed tensor as halves and bytes, and checks of untrusted shapes.
 *
 * Words are little endian on every machine that Deno runs on, so a plane's bytes are the file's bytes.
 *
 * @module
 */

import type { PieceMemory } from "../piece_memory.ts";
import { columnMultiple, type Layout, type PackedTensor, planeWords } from "./layout.ts";
import { rulesOf } from "./layout_table.ts";

/** The 16-bit halves of a plane, low half first: a view, not a copy. */
export function halves(words: Uint32Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  return new Uint16Array(words.buffer, words.byteOffset, words.length * 2);
}

/** The bytes of a plane, lowest first: a view, not a copy. */
export function planeBytes(words: Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer, words.byteOffset, words.length * 4);
}

/**
 * Checks that a layout can hold `rows x columns`.
 *
 * @throws {RangeError} for counts that are not non-negative integers or are too large together, or for columns that are not a multiple of the
 * layout's blocks.
 */
export function checkShape(layout: Layout, rows: number, columns: number): void {
  if (
    !Number.isSafeInteger(rows) || !Number.isSafeInteger(columns) || rows < 0 || columns < 1 ||
    !Number.isSafeInteger(rows * columns)
  ) {
    throw new RangeError(`Cannot lay out a tensor of ${rows} x ${columns}: not a valid shape`);
  }
  const multiple = columnMultiple(layout);
  if (columns % multiple !== 0) {
    throw new RangeError(
      `Cannot lay out a tensor of ${rows} x ${columns}: quantised rows need a multiple of ${multiple} columns`,
    );
  }
}

/**
 * Checks the shape of a packed tensor and the length of each plane.
 *
 * @throws {RangeError} for an impossible shape.
 * @throws {TypeError} for a plane of the wrong length.
 */
export function checkPacked(t: PackedTensor): void {
  checkShape(t.layout, t.rows, t.columns);
  const words = planeWords(t.layout, t.rows, t.columns);
  for (const plane of ["codes", "scales", "codebook"] as const) {
    if (t[plane].length !== words[plane]) {
      throw new TypeError(
        `Cannot read a packed tensor of ${t.rows} x ${t.columns}: plane "${plane}" has ` +
          `${t[plane].length} words, expected ${words[plane]}`,
      );
    }
  }
}

/** A packed tensor of zeros, except for the points of a grid. If given, `memory` provides the codes. Throws the errors of {@linkcode checkShape}. */
export function emptyPacked(
  layout: Layout,
  rows: number,
  columns: number,
  memory?: PieceMemory,
): PackedTensor {
  checkShape(layout, rows, columns);
  const words = planeWords(layout, rows, columns);
  return {
    layout,
    rows,
    columns,
    codes: memory
      ? new Uint32Array(memory.take(4 * words.codes).fill(0).buffer)
      : new Uint32Array(words.codes),
    scales: new Uint32Array(words.scales),
    codebook: rulesOf(layout).sharedPlane?.(layout) ?? new Uint32Array(words.codebook),
  };
}

/** Whether two layouts are equal in every field. */
export function sameLayout(a: Layout, b: Layout): boolean {
  return a.kind === b.kind && rulesOf(a).isSame(a, b);
}
