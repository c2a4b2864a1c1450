/**
 * Positions of a batch's lists within the single buffer of 32-bit words that kernels read.
 *
 * @module
 */

/** Capacities of a batch. A plan is built once per shape. */
export interface BatchShape {
  /** Token rows per branch. */
  readonly rows: number;
  /** Number of positions whose log-probability is needed. */
  readonly lossRows: number;
  /** Number of candidates (sequences to score). */
  readonly candidates: number;
  /** Number of examples. */
  readonly examples: number;
  /** Capacities of a second batch, whose gradient a step takes while the first is evaluated along noise. Default: none. */
  readonly second?: BatchShape | undefined;
}

/** Word offsets of a batch's lists. */
export interface BatchLayout {
  /** Token ids, one per row. */
  readonly tokens: number;
  /** Positions, one per row. */
  readonly positions: number;
  /** First row of the prompt that a row can attend to. */
  readonly prefixStart: number;
  /** Row after the end of that prompt. */
  readonly prefixEnd: number;
  /** First row of the row's own sequence. */
  readonly ownStart: number;
  /** Slot where the row's key and value are written; the row attends to slots up to this one. */
  readonly slots: number;
  /** Rows whose logits are needed. */
  readonly lossRows: number;
  /** The token that each of those rows should predict. */
  readonly targets: number;
  /** First loss row of each candidate, and the end of the last. */
  readonly candidateStart: number;
  /** First candidate of each example, and the end of the last. */
  readonly exampleStart: number;
  /** Index of the correct candidate within each example. */
  readonly labels: number;
  /** Number of loss rows, candidates and examples, then 1 for classification. */
  readonly counts: number;
  /** Total number of words. */
  readonly words: number;
}

/**
 * Lays out the lists of a batch one after another: six of `rows`, two of `lossRows`, then the grouping.
 *
 * @example Where lists start
 * ```ts
 * import { batchLayout } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 8, lossRows: 2, candidates: 2, examples: 1 });
 * assertEquals([layout.tokens, layout.positions, layout.lossRows], [0, 8, 48]);
 * ```
 */
export function batchLayout(shape: BatchShape): BatchLayout {
  let at = 0;
  const take = (words: number) => (at += words) - words;
  const layout = {
    tokens: take(shape.rows),
    positions: take(shape.rows),
    prefixStart: take(shape.rows),
    prefixEnd: take(shape.rows),
    ownStart: take(shape.rows),
    slots: take(shape.rows),
    lossRows: take(shape.lossRows),
    targets: take(shape.lossRows),
    candidateStart: take(shape.candidates + 1),
    exampleStart: take(shape.examples + 1),
    labels: take(shape.examples),
    counts: take(4),
  };
  return { ...layout, words: at };
}
