/**
 * Codebook formats: every 8 (or 16) columns are one code per book into f16 vectors; books add up, and a row has one f16 scale. A book
 * of 8-bit codes costs one bit per weight. The idea is that of AQLM (arXiv 2401.06118).
 *
 * @module
 */

import type { Format } from "./format.ts";
import { type CodebookLayout, codebookShape } from "../layouts/layout.ts";
import { planeFormat } from "./plane_format.ts";

/** Most books that a name can ask for. */
const MOST_BOOKS = 8;

/**
 * The format of a codebook layout: `codebookBxN`, B books of N-bit codes, and `_v16` where entries have 16 columns.
 *
 * @example A name says all
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

/** The codebook format of a name, if it is one: 1 to 8 books of 1 to 16 bits. */
export function codebookFormatByName(name: string): Format | undefined {
  const match = /^codebook(\d)x(\d{1,2})(_v16)?$/.exec(name);
  if (!match) return undefined;
  const [books, bits] = [Number(match[1]), Number(match[2])];
  if (books < 1 || books > MOST_BOOKS || bits < 1 || bits > 16) return undefined;
  const format = codebookFormat({ kind: "codebook", books, bits, vector: match[3] ? 16 : 8 });
  return format.name === name ? format : undefined;
}

/** Those of known models and of three bits; others are made by name. */
export const CODEBOOK_FORMATS: readonly Format[] = [
  codebookFormat({ kind: "codebook", books: 1 }),
  codebookFormat({ kind: "codebook", books: 2 }),
  codebookFormat({ kind: "codebook", books: 3 }),
  codebookFormat({ kind: "codebook", books: 1, bits: 16 }),
];
