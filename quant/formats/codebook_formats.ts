/**
 * Codebook formats. Every 8 (or 16) columns are stored as one code per book. A code selects a vector of f16 values; the
 * vectors of all books are added, and each row has one f16 scale. A book of 8-bit codes costs one bit per weight. The
 * idea comes from AQLM (arXiv 2401.06118).
 *
 * @module
 */

import type { Format } from "./format.ts";
import { type CodebookLayout, codebookShape } from "../layouts/layout.ts";
import { planeFormat } from "./plane_format.ts";

/** The greatest number of books that a name can specify. */
const MOST_BOOKS = 8;

/**
 * The format of a codebook layout. Its name is `codebookBxN` for B books of N-bit codes, with the suffix `_v16` if
 * entries have 16 columns.
 *
 * @example A format from its name
 * ```ts
 * import { codebookFormat } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(codebookFormat({ kind: "codebook", books: 1, bits: 16 }).name, "codebook1x16");
 * ```
 */
export function codebookFormat(layout: CodebookLayout): Format {
  const { books, bits, vector } = codebookShape(layout);
  return planeFormat(`codebook${books}x${bits}${vector === 16 ? "_v16" : ""}`, layout);
}

/** The codebook format with this name (1 to 8 books of 1 to 16 bits), or undefined if it is not such a name. */
export function codebookFormatByName(name: string): Format | undefined {
  const match = /^codebook(\d)x(\d{1,2})(_v16)?$/.exec(name);
  if (!match) return undefined;
  const [books, bits] = [Number(match[1]), Number(match[2])];
  if (books < 1 || books > MOST_BOOKS || bits < 1 || bits > 16) return undefined;
  const format = codebookFormat({ kind: "codebook", books, bits, vector: match[3] ? 16 : 8 });
  return format.name === name ? format : undefined;
}

/** Formats of known models, and one of three bits. Any other size can be requested by name. */
export const CODEBOOK_FORMATS: readonly Format[] = [
  codebookFormat({ kind: "codebook", books: 1 }),
  codebookFormat({ kind: "codebook", books: 2 }),
  codebookFormat({ kind: "codebook", books: 3 }),
  codebookFormat({ kind: "codebook", books: 1, bits: 16 }),
];
