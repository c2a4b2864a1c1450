/**
 * What GPTQ and AWQ files have in common: matrices stored input-major, `[columns, rows]`, with one scale and one
 * integer zero point per group of columns. They are converted to the scalar layout with a zero point per group.
 *
 * @module
 */

import { numberToFloat16 } from "../layouts/float16.ts";
import { groupsPerRow, type PackedTensor, type ScalarLayout } from "../layouts/layout.ts";
import { checkPacked, checkShape, emptyPacked, halves, planeBytes } from "../layouts/planes.ts";
import { writeCodes } from "../layouts/scalar_codes.ts";

/** 32-bit words of a file, signed or unsigned. */
export type StoredWords = Int32Array | Uint32Array;

/** The shape of an input-major tensor. */
export interface TransposedShape {
  /** Bits per code. */
  readonly bits: 2 | 3 | 4 | 8;
  /** Columns that share a scale: a multiple of 32, or -1 for the whole row. */
  readonly group: number;
  /** Output features. */
  readonly rows: number;
  /** Input features, a multiple of 32. */
  readonly columns: number;
  /** Name for messages. Default "tensor". */
  readonly name?: string;
}

/**
 * The layout of such a tensor.
 *
 * @throws {RangeError} for an impossible shape, width or group, or rows whose zero points do not fill whole words.
 */
export function transposedLayout(
  { bits, group, rows, columns, name = "tensor" }: TransposedShape,
): ScalarLayout {
  const attempt = `Cannot unpack "${name}"`;
  if (bits !== 2 && bits !== 3 && bits !== 4 && bits !== 8) {
    throw new RangeError(`${attempt}: ${bits} bits; expected one of 2, 3, 4, 8`);
  }
  if (group !== -1 && !(Number.isSafeInteger(group) && group > 0 && group % 32 === 0)) {
    throw new RangeError(`${attempt}: groups of ${group}, expected a multiple of 32, or -1`);
  }
  const layout: ScalarLayout = {
    kind: "scalar",
    bits,
    center: 0,
    second: "zero",
    group: group === -1 ? 0 : group,
  };
  checkShape(layout, rows, columns);
  if (rows * bits % 32 !== 0) {
    throw new RangeError(
      `${attempt}: the ${bits}-bit zero points of ${rows} rows do not fill whole words`,
    );
  }
  return layout;
}

/**
 * @throws {TypeError} naming the tensor and the plane, when the length is wrong.
 */
export function checkLength(
  name: string,
  plane: string,
  { length }: { readonly length: number },
  expected: number,
): void {
  if (length !== expected) {
    throw new TypeError(
      `Cannot unpack "${name}": "${plane}" has ${length} elements, expected ${expected}`,
    );
  }
}

/** Writes one block of 32 codes of a row at word `at` of `words`. `bytes` is a view of the same memory. */
export type FillBlock = (
  block: number,
  row: number,
  words: Uint32Array<ArrayBuffer>,
  at: number,
  bytes: Uint8Array,
) => void;

/**
 * Fills a packed tensor.
 *
 * @param scales f16 bits, `[groups, rows]`.
 * @param zeroAt Returns the zero point of a group and row.
 * @param fillBlock Writes the words of columns `32 * block ...` of a row into `words` at `at`.
 */
export function packTransposed(
  layout: ScalarLayout,
  rows: number,
  columns: number,
  scales: Uint16Array,
  zeroAt: (group: number, row: number) => number,
  fillBlock: FillBlock,
): PackedTensor {
  const t = emptyPacked(layout, rows, columns);
  const groups = groupsPerRow(layout, columns);
  for (let g = 0; g < groups; g++) {
    for (let row = 0; row < rows; row++) {
      t.scales[row * groups + g] = scales[g * rows + row] |
        (numberToFloat16(zeroAt(g, row)) << 16);
    }
  }
  const { bits } = layout;
  const bytes = planeBytes(t.codes);
  const blocks = columns / 32;
  for (let block = 0; block < blocks; block++) {
    for (let row = 0; row < rows; row++) {
      fillBlock(block, row, t.codes, (row * blocks + block) * bits, bytes);
    }
  }
  return t;
}

/**
 * Writes blocks one code at a time. `readBlock` copies the codes of columns `32 * block ...` of a row into an array of
 * 32.
 */
export function codeByCode(
  bits: number,
  readBlock: (block: number, row: number, codes: Uint8Array) => void,
): FillBlock {
  const codes = new Uint8Array(32);
  return (block, row, _words, at, bytes) => {
    readBlock(block, row, codes);
    writeCodes(codes, bits, 1, bytes, at * 4);
  };
}

/**
 * The scales of a tensor as GPTQ and AWQ files store them: f16 bits, `[groups, rows]`. A tuned checkpoint changes only
 * these bytes; codes and zero points stay as they are in the file.
 *
 * @throws {TypeError} when the tensor has another layout, or planes of the wrong length.
 *
 * @example The scales of a file are recovered
 * ```ts
 * import { gptqToPacked, packedToGptqScales } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const scales = new Uint16Array(8).map((_, row) => 0x3c00 + row);
 * const stored = { qweight: new Int32Array(4 * 8), qzeros: new Int32Array(1), scales };
 * const shape = { bits: 4, group: 32, rows: 8, columns: 32, version: "v1" } as const;
 * assertEquals(packedToGptqScales(gptqToPacked(stored, shape)), scales);
 * ```
 */
export function packedToGptqScales(t: PackedTensor): Uint16Array<ArrayBuffer> {
  checkPacked(t);
  if (t.layout.kind !== "scalar" || t.layout.second !== "zero") {
    throw new TypeError(
      `Cannot write the scales of a tensor of layout ${JSON.stringify(t.layout)}: ` +
        `GPTQ and AWQ have a zero point per group`,
    );
  }
  const groups = groupsPerRow(t.layout, t.columns);
  const stored = halves(t.scales);
  const scales = new Uint16Array(groups * t.rows);
  for (let row = 0; row < t.rows; row++) {
    for (let g = 0; g < groups; g++) scales[g * t.rows + row] = stored[2 * (row * groups + g)];
  }
  return scales;
}
