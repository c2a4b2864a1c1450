/**
 * Training examples that are shown before the example to be answered (few-shot prompts).
 *
 * @module
 */
import { demonstrationsFor, type Shots, withDemonstrations } from "../../tasks/demonstrations.ts";
import type { RenderedExample } from "../../tasks/template.ts";

/** The answered examples to choose from. */
export class Demonstrations {
  /** Number of demonstrations before each example. */
  readonly shots: Shots;
  readonly #file: string;
  readonly #examples: readonly RenderedExample[];
  /** Position among the demonstrations of an example of the same file, by its number in the file. */
  readonly #places: ReadonlyMap<number, number>;

  /**
   * @param file Name of their file.
   * @param numbers Their numbers in the file, ascending.
   * @throws {RangeError} when there are fewer than are to be shown.
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

  /** An example after its demonstrations, of which it is never one. */
  before(example: RenderedExample, index: number, file: string): RenderedExample {
    const but = file === this.#file ? this.#places.get(index) : undefined;
    const chosen = demonstrationsFor(index, this.#examples.length, { ...this.shots, but });
    return withDemonstrations(example, chosen.map((one) => this.#examples[one]));
  }
}
