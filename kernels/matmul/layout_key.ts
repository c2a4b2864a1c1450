/**
 * What of a packed tensor's layout decides the text of a shader.
 *
 * @module
 */

import { CODE_TABLES, type CodeTable } from "../../quant/layouts/code_tables.ts";
import { type CodebookLayout, codebookShape, type Layout } from "../../quant/layouts/layout.ts";
import { planeBits } from "../../quant/layouts/scalar_codes.ts";
import { gridNamed, GRIDS } from "../../quant/layouts/grids.ts";
import { SUPER_SCALES, type SuperScales } from "../../quant/layouts/super_scales.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import type { ShaderKey } from "../device/template.ts";

/** Bytes of a uniform binding that every adapter allows. */
export const UNIFORM_BYTES = 65536;

/** The part of a shader key that says how to unpack `layout`. */
export function layoutKey(layout: Layout): ShaderKey {
  const scalar = layout.kind === "scalar" ? layout : undefined;
  const blocks = layout.kind === "super" ? layout : undefined;
  const shape = blocks && SUPER_SCALES[blocks.scales];
  const coded = scalar ?? blocks ??
    (layout.kind === "column" ? { bits: layout.bits, center: 0, table: undefined } : undefined);
  const [plane, top] = coded ? planeBits(coded.bits) : [8, 0];
  return {
    LAYOUT: layout.kind,
    DENSE: layout.kind === "dense" ? layout.type : "none",
    BITS: coded?.bits ?? 0,
    PLANE_BITS: plane,
    QUADS_PER_WORD: 8 / plane,
    MASK: (0x01010101 * ((1 << plane) - 1)) >>> 0,
    TOP_BITS: top,
    TOP_MASK: 0x01010101 * ((1 << top) - 1),
    // Minima of groups of 16 are added by codes4 and its like.
    SECOND: scalar?.second ?? (shape?.minima && shape.group === 32 ? "min" : "none"),
    CENTER: coded?.center ?? 0,
    SCALES: blocks?.scales ?? "none",
    SUPER_GROUP: shape?.group ?? 0,
    SUPER_WORDS: shape?.words ?? 0,
    SUPER_TAIL: (shape?.words ?? 0) > 4,
    ...tableKey(coded?.table),
    ...codebookKey(layout),
    ...gridKey(blocks?.scales),
  };
}

/** Words of a book in a block of 32 columns, and blocks in a word. */
export function codebookBlock(layout: CodebookLayout): { words: number; blocks: number } {
  const { wordColumns } = codebookShape(layout);
  return { words: Math.max(1, 32 / wordColumns), blocks: Math.max(1, wordColumns / 32) };
}

function codebookKey(layout: Layout): ShaderKey {
  if (layout.kind !== "codebook") return { BOOKS: 0 };
  const { books, vector, entries, width, wordColumns } = codebookShape(layout);
  const { words, blocks } = codebookBlock(layout);
  return {
    BOOKS: books,
    ENTRIES: entries,
    CODE_WIDTH: width,
    WORD_VECTORS: wordColumns / vector,
    VECTOR_QUADS: vector / 4,
    VECTOR_OCTETS: vector / 8,
    BLOCK_WORDS: words,
    WORD_BLOCKS: blocks,
    SMALL_BOOKS: books * entries * vector * 2 <= UNIFORM_BYTES,
  };
}

/** What points of a grid are made of; see grid_points.wgsl. */
function gridKey(scales: SuperScales | undefined): ShaderKey {
  const grid = scales && gridNamed(scales);
  if (!scales || !grid) return { GRID: "none" };
  const { columns, high, highStep, highWidth, signs, shift, shiftOf } = GRIDS[grid];
  const [nibbles, factor] = SUPER_SCALES[scales].nibbles ?? [0, 16];
  return {
    GRID: grid,
    POINT_COLUMNS: columns,
    POINT_QUADS: columns / 4,
    BLOCK_POINTS: 32 / columns,
    HIGH: high,
    HIGH_MASK: 2 ** high - 1,
    HIGH_STEP: highStep,
    HIGH_WIDTH: highWidth,
    SHIFT_OF: shift === 0 ? "none" : shiftOf,
    SIGNS: signs,
    NIBBLE_WORD: nibbles / 4,
    FACTOR_WORD: factor / 4,
  };
}

/** What codes stand for, with the values where code_table.wgsl has no formula for them. */
function tableKey(table: CodeTable | undefined): ShaderKey {
  const key: Record<string, string> = { TABLE: table ?? "none" };
  if (table === "nf4" || table === "fp4") {
    CODE_TABLES[table].forEach((value, code) => key[`T${code}`] = wgslNumber(value));
  }
  return key;
}

function wgslNumber(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** What kernels are told as groups: of super-blocks blocks of 32, of column layouts the classes of rows. */
export function scaleGroups({ layout, columns, groups }: DeviceTensor): number {
  if (layout.kind === "column") return layout.classes;
  return layout.kind === "super" ? columns / 32 : groups;
}

/** Columns of such a group. */
export function scaleColumns({ layout, groupColumns }: DeviceTensor): number {
  return layout.kind === "super" ? 32 : groupColumns;
}
