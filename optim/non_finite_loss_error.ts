/**
 * The error of a step that cannot be made.
 *
 * @module
 */

/**
 * Thrown when a loss of a step is NaN or infinite, or too large to compute a finite step. The step was not made: offsets, state and ledger are
 * those of the previous step.
 *
 * @example A logarithm of a negative number
 * ```ts
 * import { mezo, minimise, NonFiniteLossError } from "@qzo/qzo/optim";
 * import { assertRejects } from "@std/assert";
 *
 * const objective = ([x]: Float32Array) => Math.log(x);
 * const run = minimise({ objective, parameters: [-1], optimiser: mezo(), steps: 1 });
 * await assertRejects(() => Array.fromAsync(run), NonFiniteLossError, "Cannot make step 0");
 * ```
 */
export class NonFiniteLossError extends Error {
  /** The name of the class. */
  override readonly name = "NonFiniteLossError";
  /** Index of the step, from 0. */
  readonly step: number;
  /** The losses of the step's branches. */
  readonly losses: readonly number[];

  /** Describes step `step`. `coefficients` are given if the losses themselves were finite; `why` explains a possible cause. */
  constructor(
    step: number,
    losses: readonly number[],
    { coefficients, why }: {
      readonly coefficients?: readonly number[] | undefined;
      readonly why?: string | undefined;
    } = {},
  ) {
    const shown = losses.join(", ");
    const what = coefficients
      ? `the losses ${shown} lead to the coefficients ${coefficients.join(", ")}`
      : `the losses of its branches are ${shown}`;
    super(`Cannot make step ${step}: ${what}${why === undefined ? "" : `. ${why}`}`);
    this.step = step;
    this.losses = losses;
  }
}
