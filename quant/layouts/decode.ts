/**
 * Converts packed tensors to numbers on the CPU. These plain loops define the meaning of the layouts.
 *
 * @module
 */

import { CODE_TABLES } from "./code_tables.ts";
import { bfloat16ToNumber, float16ToNumber } from "./float16.ts";
import {
  type CodebookLayout,
  codebookShape,
  type ColumnLayout,
  groupColumns,
  groupsPerRow,
  isPaired,
  type Layout,
  type PackedTensor,
  type ScalarLayout,
  type SuperLayout,
} from "./layout.ts";
import { gridNamed, GRIDS, highBits, pointOf } from "./grids.ts";
import { checkPacked, halves, planeBytes } from "./planes.ts";
import { readCodes } from "./scalar_codes.ts";
import { superByte, superRows } from "./super_rows.ts";
import { emptySuperBlock, readSuperBlock, superFactor } from "./super_scales.ts";

/**
 * All elements, row-major `rows x columns`, rounded once to f32.
 *
 * @throws {RangeError} for an impossible shape.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example One block of Q8_0
 * ```ts
 * import { decode, formatByName } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const block = new Uint8Array(34);
 * block.set([0x00, 0x38, 3, 0xff]); // scale 0.5, codes 3 and -1
 * const values = decode(formatByName("Q8_0").unpack(block, 1, 32));
 * assertEquals([...values.subarray(0, 3)], [1.5, -0.5, 0]);
 * ```
 */
export function decode(t: PackedTensor): Float32Array<ArrayBuffer> {
  checkPacked(t);
  const values = new Float32Array(t.rows * t.columns);
  const decodeInto = rowDecoder(t);
  for (let row = 0; row < t.rows; row++) decodeInto(row, values, row * t.columns);
  return values;
}

/**
 * The `columns` elements of one row.
 *
 * @throws As {@linkcode decode}, and a RangeError for a row that does not exist.
 *
 * @example The second row
 * ```ts
 * import { decodeRow, quantize } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const tensor = quantize(new Float32Array([1, 2, 3, 4]), 2, 2, "F16");
 * assertEquals([...decodeRow(tensor, 1)], [3, 4]);
 * ```
 */
export function decodeRow(t: PackedTensor, row: number): Float32Array<ArrayBuffer> {
  checkPacked(t);
  checkRow(t, row);
  const values = new Float32Array(t.columns);
  rowDecoder(t)(row, values, 0);
  return values;
}

/**
 * The scales, flat at `row * groups + g`. Super layouts have one per super-block, codebook layouts one per row, column
 * layouts one per class and column, dense layouts none.
 *
 * @example One scale per row
 * ```ts
 * import { quantize, readScales } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const tensor = quantize(new Float32Array(3 * 32).fill(1), 3, 32, "int8_row");
 * assertEquals(readScales(tensor).length, 3);
 * ```
 */
export function readScales(t: PackedTensor): Float32Array<ArrayBuffer> {
  checkPacked(t);
  return readerOf(t.layout).scales(t, t.layout);
}

/** The zero points or minima, flat at `row * groups + g`. Empty if the layout has none. */
export function readSeconds(t: PackedTensor): Float32Array<ArrayBuffer> {
  checkPacked(t);
  return readerOf(t.layout).seconds(t, t.layout);
}

/**
 * The stored code at one position: the scalar code, the code of the vector in `book`, the grid point, or the bits of a
 * dense element.
 *
 * @throws {RangeError} when the position does not exist.
 */
export function codeAt(t: PackedTensor, row: number, column: number, book = 0): number {
  checkRow(t, row);
  if (!(Number.isInteger(column) && column >= 0 && column < t.columns)) {
    throw new RangeError(`Cannot read column ${column} of a tensor with ${t.columns} columns`);
  }
  return readerOf(t.layout).code(t, t.layout, row, column, book);
}

/** Writes the elements of one row into an array, starting at `at`. */
type RowDecoder = (row: number, values: Float32Array, at: number) => void;

/** How to read tensors of a layout. */
interface Reader<L> {
  /** A decoder of rows. */
  rows(t: PackedTensor, layout: L): RowDecoder;
  /** The result of {@linkcode readScales}. */
  scales(t: PackedTensor, layout: L): Float32Array<ArrayBuffer>;
  /** The result of {@linkcode readSeconds}. */
  seconds(t: PackedTensor, layout: L): Float32Array<ArrayBuffer>;
  /** The result of {@linkcode codeAt}. */
  code(t: PackedTensor, layout: L, row: number, column: number, book: number): number;
}

const none = (): Float32Array<ArrayBuffer> => new Float32Array(0);

const READERS: { readonly [K in Layout["kind"]]: Reader<Extract<Layout, { kind: K }>> } = {
  dense: {
    rows: (t, { type }) => denseRows(t, type),
    scales: none,
    seconds: none,
    code: (t, { type }, row, column) =>
      (type === "f32" ? t.codes : halves(t.codes))[row * t.columns + column],
  },
  scalar: {
    rows: scalarRows,
    scales: (t, layout) => everyGroup(t, isPaired(layout) ? 2 : 1, 0),
    seconds: (t, layout) => isPaired(layout) ? everyGroup(t, 2, 1) : none(),
    code: (t, { bits }, row, column) => blockCode(t, bits, row, column),
  },
  super: {
    rows: superRows,
    scales: superScales,
    seconds: none,
    code: superCode,
  },
  codebook: {
    rows: codebookRows,
    scales: (t) => everyGroup(t, 1, 0),
    seconds: none,
    code: codebookCode,
  },
  column: {
    rows: columnRows,
    scales: (t) => everySecondHalf(t.codebook, 0),
    seconds: (t) => everySecondHalf(t.codebook, 1),
    code: (t, { bits }, row, column) => blockCode(t, bits, row, column),
  },
};

function readerOf(layout: Layout): Reader<Layout> {
  return READERS[layout.kind] as Reader<Layout>;
}

function rowDecoder(t: PackedTensor): RowDecoder {
  return readerOf(t.layout).rows(t, t.layout);
}

/** One f16 for each (row, group); consecutive ones are `stride` halves apart. */
function everyGroup(t: PackedTensor, stride: number, first: number): Float32Array<ArrayBuffer> {
  const stored = halves(t.scales);
  return Float32Array.from(
    { length: t.rows * groupsPerRow(t.layout, t.columns) },
    (_, i) => float16ToNumber(stored[i * stride + first]),
  );
}

/** A code of a few bits in a block of 32 columns. */
function blockCode(t: PackedTensor, bits: number, row: number, column: number): number {
  const index = row * t.columns + column;
  const codes = new Uint8Array(32);
  readCodes(planeBytes(t.codes), Math.floor(index / 32) * bits * 4, bits, 1, codes);
  return codes[index % 32];
}

function superCode(t: PackedTensor, layout: SuperLayout, row: number, column: number): number {
  const grid = gridNamed(layout.scales);
  if (!grid) return blockCode(t, layout.bits, row, column);
  const index = row * t.columns + column;
  const block = Math.floor(index / 32);
  const at = superByte(layout, t.columns, row, column >> 8);
  const high = highBits(grid, planeBytes(t.scales), at, block & 7);
  const point = Math.floor(index % 32 / GRIDS[grid].columns);
  return pointOf(grid, t.codes, block * layout.bits, high, point);
}

function codebookCode(
  t: PackedTensor,
  layout: CodebookLayout,
  row: number,
  column: number,
  book: number,
): number {
  const { books, entries, vector, width, wordColumns } = codebookShape(layout);
  if (!(Number.isInteger(book) && book >= 0 && book < books)) {
    throw new RangeError(`Cannot read book ${book} of a tensor with ${books} books`);
  }
  const index = row * t.columns + column;
  const word = t.codes[Math.floor(index / wordColumns) * books + book];
  return (word >>> (width * Math.floor(index % wordColumns / vector))) & (entries - 1);
}

function denseRows(t: PackedTensor, type: "f32" | "f16" | "bf16"): RowDecoder {
  const { columns } = t;
  if (type === "f32") {
    const stored = new Float32Array(t.codes.buffer, t.codes.byteOffset, t.codes.length);
    return (row, values, at) => values.set(stored.subarray(row * columns, (row + 1) * columns), at);
  }
  const stored = halves(t.codes);
  const toNumber = type === "f16" ? float16ToNumber : bfloat16ToNumber;
  return (row, values, at) => {
    const from = row * columns;
    for (let k = 0; k < columns; k++) values[at + k] = toNumber(stored[from + k]);
  };
}

function scalarRows(
  t: PackedTensor,
  { bits, center, second, table }: ScalarLayout,
): RowDecoder {
  const { columns } = t;
  const meanings = table && CODE_TABLES[table];
  const bytes = planeBytes(t.codes);
  const stored = halves(t.scales);
  const group = groupColumns(t.layout, columns);
  const groups = groupsPerRow(t.layout, columns);
  const codes = new Uint8Array(columns);
  return (row, values, at) => {
    readCodes(bytes, row * columns * bits / 8, bits, columns / 32, codes);
    for (let g = 0; g < groups; g++) {
      const i = row * groups + g;
      const scale = float16ToNumber(stored[second === "none" ? i : 2 * i]);
      const other = second === "none" ? center : float16ToNumber(stored[2 * i + 1]);
      const end = Math.min(columns, (g + 1) * group);
      if (meanings) {
        for (let k = g * group; k < end; k++) values[at + k] = scale * meanings[codes[k]];
      } else if (second === "min") {
        for (let k = g * group; k < end; k++) values[at + k] = scale * (codes[k] - center) + other;
      } else {
        for (let k = g * group; k < end; k++) values[at + k] = scale * (codes[k] - other);
      }
    }
  };
}

function columnRows(t: PackedTensor, { bits, classes }: ColumnLayout): RowDecoder {
  const { columns } = t;
  const bytes = planeBytes(t.codes);
  const [scales, zeros] = [readScales(t), readSeconds(t)];
  const codes = new Uint8Array(columns);
  return (row, values, at) => {
    readCodes(bytes, row * columns * bits / 8, bits, columns / 32, codes);
    const from = row % classes * columns;
    for (let k = 0; k < columns; k++) {
      values[at + k] = scales[from + k] * (codes[k] - zeros[from + k]);
    }
  };
}

function everySecondHalf(words: Uint32Array<ArrayBuffer>, first: 0 | 1): Float32Array<ArrayBuffer> {
  const stored = halves(words);
  return Float32Array.from(words, (_, i) => float16ToNumber(stored[2 * i + first]));
}

function codebookRows(t: PackedTensor, layout: CodebookLayout): RowDecoder {
  const { columns } = t;
  const { books, entries, vector, width, wordColumns } = codebookShape(layout);
  const stored = halves(t.scales);
  // Entries are not decoded in advance: often only one row is read, and books may have 65,536 entries.
  const values = halves(t.codebook);
  const words = columns / wordColumns;
  const perWord = wordColumns / vector;
  return (row, out, at) => {
    const scale = float16ToNumber(stored[row]);
    for (let v = 0; v < columns / vector; v++) {
      const word = (row * words + Math.floor(v / perWord)) * books;
      const shift = width * (v % perWord);
      for (let k = 0; k < vector; k++) {
        let sum = 0;
        for (let c = 0; c < books; c++) {
          const code = (t.codes[word + c] >>> shift) & (entries - 1);
          sum += float16ToNumber(values[(c * entries + code) * vector + k]);
        }
        out[at + v * vector + k] = scale * sum;
      }
    }
  };
}

function superScales(t: PackedTensor, layout: SuperLayout): Float32Array<ArrayBuffer> {
  const blocks = groupsPerRow(layout, t.columns);
  const bytes = planeBytes(t.scales);
  const block = emptySuperBlock(layout.scales);
  return Float32Array.from({ length: t.rows * blocks }, (_, i) => {
    const at = superByte(layout, t.columns, Math.floor(i / blocks), i % blocks);
    readSuperBlock(layout.scales, bytes, at, block);
    return superFactor(layout.scales, block.d);
  });
}

function checkRow(t: PackedTensor, row: number): void {
  if (!(Number.isInteger(row) && row >= 0 && row < t.rows)) {
    throw new RangeError(`Cannot read row ${row} of a tensor with ${t.rows} rows`);
  }
}
