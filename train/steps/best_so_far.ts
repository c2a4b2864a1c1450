/**
 * Which of several evaluations of the same held-out examples is the best.
 *
 * @module
 */
import { shareOf } from "../../tasks/metrics/accuracy.ts";

/** What is looked at of an evaluation. */
export interface Look {
  /** In nats. */
  readonly loss: number;
  /** Right predictions; undefined where there are none to be right. */
  readonly correct?: number | undefined;
  /** How many were evaluated. */
  readonly examples: number;
}

/**
 * The best evaluation as they come: the one with the lowest loss among those whose accuracy lies within the 95 % interval of the highest one seen.
 * Accuracies closer than that are told apart by chance, losses sooner. Without accuracies it is the lowest loss; of equals the earlier.
 */
export class BestSoFar<T extends Look> {
  /** The best of those that were added. */
  best: T | undefined;
  #highest = 0;
  /** Below it an accuracy is lower than the highest one. */
  #floor = 0;

  /** Adds an evaluation, and says whether it is the best now. */
  add(look: T): boolean {
    const { correct, examples, loss } = look;
    if (correct !== undefined && examples > 0) {
      const share = correct / examples;
      if (share < this.#floor) return false;
      if (share > this.#highest) {
        this.#highest = share;
        this.#floor = shareOf(correct, examples).low;
      }
    }
    const better = this.best === undefined || loss < this.best.loss || this.#isBelow(this.best);
    if (better) this.best = look;
    return better;
  }

  #isBelow({ correct, examples }: Look): boolean {
    return correct !== undefined && examples > 0 && correct / examples < this.#floor;
  }
}
