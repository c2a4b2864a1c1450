/**
 * Codebook formats: every 8 columns are one code per book into 256 entries of 8 f16 values; books add up, and a row has
 * one f16 scale. One bit per weight and book. The idea is that of AQLM (arXiv 2401.06118).
 *
 * @module
 */

import type { Format } from "./format.ts";
import { planeFormat } from "./plane_format.ts";

/** One and two books. */
export const CODEBOOK_FORMATS: readonly Format[] = [
  planeFormat("codebook1x8", { kind: "codebook", books: 1 }),
  planeFormat("codebook2x8", { kind: "codebook", books: 2 }),
];
