/**
 * Where a batch's lists stand in the one buffer of 32-bit words that kernels read them from.
 *
 * @module
 */

/** Capacities of a batch; plans are built once per shape. */
export interface BatchShape {
  /** Token rows of one branch. */
  readonly rows: number;
  /** Positions whose log-probability is needed. */
  readonly lossRows: number;
  /** Candidates (sequences that are scored). */
  readonly candidates: number;
  /** Examples. */
  readonly examples: number;
}

/** Word offsets of a batch's lists. */
export interface BatchLayout {
  /** Token ids, one a row. */
  readonly tokens: number;
  /** Positions, one a row. */
  readonly positions: number;
  /** First row of the prompt a row may attend to. */
  readonly prefixStart: number;
  /** Row after that prompt. */
  readonly prefixEnd: number;
  /** First row of its own sequence. */
  readonly ownStart: number;
  /** Row of the keys and values it writes; it attends up to there. */
  readonly slots: number;
  /** Rows whose logits are needed. */
  readonly lossRows: number;
  /** The token each of them should predict. */
  readonly targets: number;
  /** First loss row of each candidate, and the end. */
  readonly candidateStart: number;
  /** First candidate of each example, and the end. */
  readonly exampleStart: number;
  /** The right candidate of each example, counted within it. */
  readonly labels: number;
  /** Loss rows, candidates, examples, 1 for classification. */
  readonly counts: number;
  /** Words in all. */
  readonly words: number;
}

/** The lists of a batch one after the other: six of `rows`, two of `lossRows`, then the grouping. */
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
