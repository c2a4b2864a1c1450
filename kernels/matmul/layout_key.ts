/**
 * The part of a shader key that follows from a packed tensor's layout.
 *
 * @module
 */

import { CODE_TABLES, type CodeTable } from "../../quant/layouts/code_tables.ts";
import {
  type CodebookLayout,
  codebookShape,
  isPaired,
  type Layout,
} from "../../quant/layouts/layout.ts";
import { planeBits } from "../../quant/layouts/scalar_codes.ts";
import { gridNamed, GRIDS } from "../../quant/layouts/grids.ts";
import { SUPER_SCALES, type SuperScales } from "../../quant/layouts/super_scales.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import type { ShaderKey } from "../device/template.ts";

/** Size in bytes of a uniform binding that every adapter supports. */
export const UNIFORM_BYTES = 65536;

/** How kernels handle a layout. */
interface Kernels<L> {
  /** How to unpack it: the entries that differ from {@linkcode NOTHING}. */
  key(layout: L): ShaderKey;
  /** Number of words of codes per load of the register kernel. */
  codeWords(layout: L, columns: number): number;
  /** Size of one load of scales in the register kernel; see {@linkcode scaleLoad}. */
  scaleLoad(layout: L, weight: DeviceTensor, unit: number): { units: number; vector: boolean };
  /** Number of groups per row, as kernels count them. */
  groups(layout: L, weight: DeviceTensor): number;
  /** Number of columns in such a group. */
  columns(layout: L, weight: DeviceTensor): number;
}

const ONE = (): { units: number; vector: boolean } => ({ units: 1, vector: false });
const plainGroups = (_: unknown, { groups }: DeviceTensor): number => groups;
const plainColumns = (_: unknown, { groupColumns }: DeviceTensor): number => groupColumns;
const bitWords = ({ bits }: { bits: number }): number =>
  bits % 2 === 1 ? 1 : bits === 6 ? 2 : Math.min(4, bits);

const KERNELS: { readonly [K in Layout["kind"]]: Kernels<Extract<Layout, { kind: K }>> } = {
  dense: {
    key: ({ type }) => ({ DENSE: type }),
    codeWords: ({ type }, columns) => type === "f32" || columns % 8 === 0 ? 4 : 2,
    scaleLoad: ONE,
    groups: plainGroups,
    columns: plainColumns,
  },
  scalar: {
    key: (layout) => ({ ...codesKey(layout), SECOND: layout.second }),
    codeWords: bitWords,
    scaleLoad(layout, { groups, groupColumns }, unit) {
      const atOnce = isPaired(layout) ? 4 : 8;
      const vector = unit === groupColumns && groups % atOnce === 0;
      return { units: vector ? atOnce : 1, vector };
    },
    groups: plainGroups,
    columns: plainColumns,
  },
  codebook: {
    key: codebookKey,
    codeWords(layout) {
      const words = layout.books * codebookBlock(layout).words;
      return words === 2 || words === 4 ? words : 1;
    },
    scaleLoad: ONE,
    groups: plainGroups,
    columns: plainColumns,
  },
  super: {
    key(layout) {
      const { minima, group, words } = SUPER_SCALES[layout.scales];
      return {
        ...codesKey(layout),
        // Minima of groups of 16 are added by codes4 and its like.
        SECOND: minima && group === 32 ? "min" : "none",
        SCALES: layout.scales,
        SUPER_GROUP: group,
        SUPER_WORDS: words,
        SUPER_TAIL: words > 4,
        ...gridKey(layout.scales),
      };
    },
    codeWords: bitWords,
    // All scales at once, or the exponents in one word.
    scaleLoad({ scales }) {
      const { words } = SUPER_SCALES[scales];
      return { units: words === 0 ? 4 : 8, vector: words === 4 };
    },
    // Blocks of 32.
    groups: (_, { columns }) => columns / 32,
    columns: () => 32,
  },
  column: {
    key: ({ bits }) => codesKey({ bits, center: 0 }),
    codeWords: bitWords,
    scaleLoad: ONE,
    groups: ({ classes }) => classes,
    columns: plainColumns,
  },
};

function kernelsOf(layout: Layout): Kernels<Layout> {
  return KERNELS[layout.kind] as Kernels<Layout>;
}

/** Entries for everything that a layout does not have. */
const NOTHING: ShaderKey = {
  DENSE: "none",
  ...codesKey({ bits: 0, center: 0 }),
  SECOND: "none",
  SCALES: "none",
  SUPER_GROUP: 0,
  SUPER_WORDS: 0,
  SUPER_TAIL: false,
  BOOKS: 0,
  GRID: "none",
};

/** The part of a shader key that says how to unpack `layout`. */
export function layoutKey(layout: Layout): ShaderKey {
  return { LAYOUT: layout.kind, ...NOTHING, ...kernelsOf(layout).key(layout) };
}

/** How to unpack codes of `bits` bits. With 0 bits, each code takes a byte. */
function codesKey(
  { bits, center, table }: { bits: number; center: number; table?: CodeTable | undefined },
): ShaderKey {
  const [plane, top] = bits === 0 ? [8, 0] : planeBits(bits);
  return {
    BITS: bits,
    PLANE_BITS: plane,
    QUADS_PER_WORD: 8 / plane,
    MASK: (0x01010101 * ((1 << plane) - 1)) >>> 0,
    TOP_BITS: top,
    TOP_MASK: 0x01010101 * ((1 << top) - 1),
    CENTER: center,
    ...tableKey(table),
  };
}

/** Number of words per book in a block of 32 columns, and number of blocks per word. */
export function codebookBlock(layout: CodebookLayout): { words: number; blocks: number } {
  const { wordColumns } = codebookShape(layout);
  return { words: Math.max(1, 32 / wordColumns), blocks: Math.max(1, wordColumns / 32) };
}

function codebookKey(layout: CodebookLayout): ShaderKey {
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

/** The composition of a grid's points; see grid_points.wgsl. */
function gridKey(scales: SuperScales): ShaderKey {
  const grid = gridNamed(scales);
  if (!grid) return {};
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

/** The values of codes. They are listed if code_table.wgsl has no formula for them. */
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

/** Number of words of codes per load of the register kernel. */
export function codeWords(layout: Layout, columns: number): number {
  return kernelsOf(layout).codeWords(layout, columns);
}

/** Units whose scales one load of the register kernel takes, and whether that load is of four words, where rows start at such a load. */
export function scaleLoad(weight: DeviceTensor, unit: number): ShaderKey {
  const { units, vector } = kernelsOf(weight.layout).scaleLoad(weight.layout, weight, unit);
  return { SCALE_UNITS: units, SCALE_VECTOR: vector };
}

/** Number of groups as kernels count them: blocks of 32 columns in super-blocks, classes of rows in column layouts, otherwise groups per row. */
export function scaleGroups(weight: DeviceTensor): number {
  return kernelsOf(weight.layout).groups(weight.layout, weight);
}

/** Number of columns in such a group. */
export function scaleColumns(weight: DeviceTensor): number {
  return kernelsOf(weight.layout).columns(weight.layout, weight);
}
