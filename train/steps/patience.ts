/**
 * Decides when to stop early.
 *
 * @module
 */

/** Counts consecutive evaluations whose loss is not below the lowest so far. */
export class Patience {
  readonly #limit: number;
  #lowest = Infinity;
  #waited = 0;

  /**
   * @param limit Number of evaluations to wait for a lower loss.
   * @param before Losses of a resumed run, in order. If its patience had run out, counting starts again at 0.
   */
  constructor(limit: number, before: readonly number[] = []) {
    this.#limit = limit;
    for (const loss of before) this.add(loss);
    if (this.isOver) this.#waited = 0;
  }

  /** Adds the loss of an evaluation. */
  add(loss: number): void {
    if (loss < this.#lowest) {
      this.#lowest = loss;
      this.#waited = 0;
    } else this.#waited++;
  }

  /** Whether patience has run out. */
  get isOver(): boolean {
    return this.#waited >= this.#limit;
  }
}
