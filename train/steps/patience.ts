/**
 * When to stop early.
 *
 * @module
 */

/** Counts evaluations whose loss is not below the lowest before them. */
export class Patience {
  readonly #limit: number;
  #lowest = Infinity;
  #waited = 0;

  /**
   * @param limit Evaluations to wait for a lower loss.
   * @param before Losses of a run that is gone on with, in order. One that was out of patience begins to count anew.
   */
  constructor(limit: number, before: readonly number[] = []) {
    this.#limit = limit;
    for (const loss of before) this.add(loss);
    if (this.isOver) this.#waited = 0;
  }

  /** Takes the loss of an evaluation. */
  add(loss: number): void {
    if (loss < this.#lowest) {
      this.#lowest = loss;
      this.#waited = 0;
    } else this.#waited++;
  }

  /** Whether it waited as often as it may. */
  get isOver(): boolean {
    return this.#waited >= this.#limit;
  }
}
