/**
 * Training examples that are shown before those that are judged.
 *
 * @module
 */
import { demonstrationsFor, type Shots, withDemonstrations } from "../../tasks/demonstrations.ts";
import type { RenderedExample } from "../../tasks/template.ts";

/** Answered examples to choose from. */
export class Demonstrations {
  /** How many each example has. */
  readonly shots: Shots;
  readonly #file: string;
  readonly #examples: readonly RenderedExample[];
  /** The place among them of an example of their file, by its number there. */
  readonly #places: ReadonlyMap<number, number>;

  /**
   * @param file names the file that they are of.
   * @param numbers their places in it, in ascending order.
   * @throws {RangeError} When there are fewer than are to be shown
   */
  constructor(
    file: string,
    examples: readonly RenderedExample[],
    { shots, numbers }: { readonly shots: Shots; readonly numbers: readonly number[] },
  ) {
    if (examples.length <= shots.count) {
      throw new RangeError(
        `Cannot show ${shots.count} demonstrations: "${file}" has ${examples.length} examples, but ${
          shots.count + 1
        } are needed`,
      );
    }
    this.shots = shots;
    this.#file = file;
    this.#examples = examples;
    this.#places = new Map(numbers.map((number, place) => [number, place]));
  }

  /** An example of a file behind its demonstrations, of which it is none itself. */
  before(example: RenderedExample, index: number, file: string): RenderedExample {
    const but = file === this.#file ? this.#places.get(index) : undefined;
    const chosen = demonstrationsFor(index, this.#examples.length, { ...this.shots, but });
    return withDemonstrations(example, chosen.map((one) => this.#examples[one]));
  }
}
