import { assert } from "@std/assert";

/** Mean of numbers and its standard error. */
export class Sample {
  #sum = 0;
  #squares = 0;
  #count = 0;

  /** Takes one. */
  add(value: number): void {
    this.#sum += value;
    this.#squares += value * value;
    this.#count++;
  }
  /** Of those taken. */
  get mean(): number {
    return this.#sum / this.#count;
  }
  /** Of those taken. */
  get variance(): number {
    return this.#squares / this.#count - this.mean ** 2;
  }
  /** The standard error of the mean. */
  get error(): number {
    return Math.sqrt(this.variance / this.#count);
  }
  /** Asserts that the mean is within 4.5 standard errors, and `slack`, of `expected`. */
  assertMean(expected: number, what: string, slack = 0): void {
    const far = Math.abs(this.mean - expected);
    assert(
      far < 4.5 * this.error + slack,
      `${what}: ${this.mean} +- ${this.error}, not ${expected}`,
    );
  }
}
