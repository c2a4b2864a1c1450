/**
 * Steps that move nothing, and words for whoever waits for them.
 *
 * @module
 */

/** Steps in a row after which it is no chance. */
const ENOUGH = 20;

/** Watches the derivatives of a fine-tune. */
export class StillSteps {
  readonly #epsilon: number | undefined;
  #still = 0;
  #seen = 0;
  #said = false;

  /** `epsilon`: how far the steps look, for the words. */
  constructor(epsilon?: number) {
    this.#epsilon = epsilon;
  }

  /**
   * Told of a step. Once, after 20 in a row whose derivatives were all exactly 0, says so in a sentence.
   *
   * @example A loss that no direction changes
   * ```ts
   * import { StillSteps } from "@qzo/qzo/train";
   * import { assert, assertEquals } from "@std/assert";
   *
   * const still = new StillSteps(1e-30);
   * for (let i = 0; i < 19; i++) assertEquals(still.add([0]), undefined);
   * assert(still.add([0])?.includes("the last 20 steps moved nothing"));
   * ```
   */
  add(derivatives: readonly number[]): string | undefined {
    this.#seen++;
    this.#still = derivatives.every((one) => one === 0) ? this.#still + 1 : 0;
    return this.#still >= ENOUGH ? this.#say(`the last ${ENOUGH} steps`) : undefined;
  }

  /** Told that there are no more: says the same of a run with fewer steps. */
  end(): string | undefined {
    return this.#seen > 0 && this.#still === this.#seen ? this.#say("the steps") : undefined;
  }

  #say(which: string): string | undefined {
    if (this.#said) return undefined;
    this.#said = true;
    const now = this.#epsilon === undefined ? "" : ` (now ${this.#epsilon})`;
    return `${which} moved nothing: all losses of a step were equal, to the last bit. Raise optimiser.epsilon${now}, or select other trainables`;
  }
}
