/**
 * Detects steps that move nothing, and explains them to the user.
 *
 * @module
 */

/** Number of consecutive steps that rules out chance. */
const ENOUGH = 20;

/**
 * Watches the derivatives of a fine-tune.
 *
 * @example A run whose only step moved nothing
 * ```ts
 * import { StillSteps } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const still = new StillSteps();
 * assertEquals(still.add([0]), undefined);
 * assertEquals(still.end()?.startsWith("the steps moved nothing"), true);
 * ```
 */
export class StillSteps {
  readonly #epsilon: number | undefined;
  #still = 0;
  #seen = 0;
  #said = false;

  /** `epsilon` is the distance of the perturbation, for the message. */
  constructor(epsilon?: number) {
    this.#epsilon = epsilon;
  }

  /**
   * Adds a step. Once, after 20 consecutive steps with derivatives of exactly 0, returns a sentence about it.
   *
   * @example A loss that does not depend on the offsets
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

  /** Ends the run. Returns the same sentence for a run with fewer steps. */
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
