/**
 * Which of several evaluations of the same held-out examples is the best.
 *
 * @module
 */
import { shareOf } from "../../tasks/metrics/accuracy.ts";

/** The results of an evaluation that are compared. */
export interface Look {
  /** Mean loss in nats. */
  readonly loss: number;
  /** Number of correct predictions. Undefined without accuracy. */
  readonly correct?: number | undefined;
  /** Number of examples evaluated. */
  readonly examples: number;
}

/**
 * The best evaluation so far: the one with the lowest loss among those whose accuracy is within the 95 % interval of the highest accuracy. Smaller
 * differences of accuracy are chance, and losses tell more. Without accuracies, the lowest loss. Of equal ones, the earlier.
 */
export class BestSoFar<T extends Look> {
  /** The best evaluation that was added. */
  best: T | undefined;
  #highest = 0;
  /** Accuracies below this are lower than the highest one by more than chance. */
  #floor = 0;

  /** Adds an evaluation. Returns whether it is now the best. */
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
