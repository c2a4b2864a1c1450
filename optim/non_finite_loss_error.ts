/**
 * The error of a step that cannot be made.
 *
 * @module
 */

/**
 * A loss of a step was NaN or infinite, or too large to make a finite step from. The step was not made: offsets, state
 * and ledger are those of the step before.
 */
export class NonFiniteLossError extends Error {
  /** The error's class, as in its string form. */
  override readonly name = "NonFiniteLossError";
  /** The step, counted from 0. */
  readonly step: number;
  /** The losses of the step's branches. */
  readonly losses: readonly number[];

  /** Describes step `step`: `coefficients` are given when the losses themselves were finite, `why` says what it may come from. */
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
