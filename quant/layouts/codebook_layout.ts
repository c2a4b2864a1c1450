/**
 * The codebook layout: codes that select vectors from additive codebooks.
 *
 * @module
 */
import { BEYOND, type LayoutRules } from "./layout_rules.ts";

/** Codes that select vectors of neighbouring columns from additive codebooks, with one scale per row. */
export interface CodebookLayout {
  /** Discriminant of the union. */
  readonly kind: "codebook";
  /** Number of books whose entries are added. */
  readonly books: number;
  /** Bits per code, 1 to 16: a book has `2 ** bits` entries. Default 8. */
  readonly bits?: number;
  /** Columns per entry. Default 8. */
  readonly vector?: 8 | 16;
}

/** Sizes derived from a codebook layout. */
export interface CodebookShape extends Required<Omit<CodebookLayout, "kind">> {
  /** Entries per book. */
  readonly entries: number;
  /** Bits per code in memory. */
  readonly width: 8 | 16;
  /** Columns whose codes in one book share one word. */
  readonly wordColumns: number;
}

/** Fills in the defaults of a codebook layout and computes the sizes that follow. */
export function codebookShape({ books, bits = 8, vector = 8 }: CodebookLayout): CodebookShape {
  const width = bits <= 8 ? 8 : 16;
  return {
    books,
    bits,
    vector,
    entries: 2 ** bits,
    width,
    wordColumns: vector * 32 / width,
  };
}

const codeWords = (layout: CodebookLayout, rows: number, columns: number): number => {
  const { books, wordColumns } = codebookShape(layout);
  return rows * (columns / wordColumns) * books;
};

/** The rules of the codebook layout. */
export const codebookRules: LayoutRules<CodebookLayout> = {
  isQuantised: true,
  isRelativeOnly: false,
  hasIntegerScales: false,
  isPaired: () => false,
  // A scale times entries, which depend on the neighbouring values, so the limit is only that of f16.
  reach: () => BEYOND.f16,
  scalesPlane: "scales",
  elementType: () => undefined,
  groupColumns: (_, columns) => columns,
  groupsPerRow: () => 1,
  scaleRows: (_, rows) => rows,
  rowPeriod: () => undefined,
  columnMultiple: (layout) => Math.max(32, codebookShape(layout).wordColumns),
  planeWords(layout, rows, columns) {
    const { books, entries, vector } = codebookShape(layout);
    return {
      codes: codeWords(layout, rows, columns),
      scales: Math.ceil(rows / 2),
      codebook: books * entries * vector / 2,
    };
  },
  rowBytes: (layout, columns) => 4 * codeWords(layout, 1, columns) + 2,
  planeShapes(layout, rows, columns) {
    const { books, entries, vector } = codebookShape(layout);
    return [
      {
        plane: "codes",
        suffix: "codes",
        dtype: "U32",
        shape: [rows, codeWords(layout, 1, columns)],
      },
      { plane: "scales", suffix: "scales", dtype: "F16", shape: [rows, 1] },
      { plane: "codebook", suffix: "codebook", dtype: "F16", shape: [books, entries, vector] },
    ];
  },
  secondPart: () => "codebook",
  addsMinima: () => false,
  whyMinimaStay: () => undefined,
  isSame(one, other) {
    const [a, b] = [codebookShape(one), codebookShape(other)];
    return a.books === b.books && a.bits === b.bits && a.vector === b.vector;
  },
};
