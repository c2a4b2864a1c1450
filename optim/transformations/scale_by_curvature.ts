/**
 * Scales steps by the curvature along random directions, measured from the losses that a step has anyway.
 *
 * @module
 */
import { assertOptions, decay as decayRule, squared } from "../options.ts";
import { runningMean } from "./running_mean.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode scaleByCurvature}. */
export interface ScaleByCurvatureOptions {
  /** Epsilon of the estimator. */
  readonly epsilon: number;
  /** Number of directions of the estimator, 1 to 1023. */
  readonly queries: number;
  /** Fraction of the running means that a step keeps, from 0 to below 1. Default 0.95. */
  readonly decay?: number;
  /**
   * The greatest root mean square, over offsets, of a step before the learning rate. Default: twice epsilon, so that with a learning rate of one
   * half no step is longer than the distance of its branches.
   */
  readonly largest?: number;
}

/**
 * Divides derivatives by the trace of the Hessian per direction, so that a learning rate is a fraction of a Newton step along the evaluated
 * directions, with the same meaning for every model, task and form.
 *
 * For losses at distance `epsilon` along z_q and one at 0 (estimators `oneSided`, and `centred` with `base`), `2 (mean_q L_q - L_0) / epsilon^2`
 * estimates tr(H) = E[zᵀHz]. The mean of Q estimates d_q z_q equals g on average, and its variance increases the loss by `|g|^2 tr(H) / 2Q` per
 * squared step length. Both effects balance at the step length `Q / tr(H)`, times the fraction of |g|^2 that is not noise of the batch.
 *
 * The running mean of tr(H) is known up to a standard error, which is added to it: while little is known, steps are short. If there is no
 * curvature, or if noise of the batches suggests so, the length is limited by `largest`, because loss differences say nothing about points
 * beyond those that were evaluated. Without this limit, a model in a flat region would be thrown out of it. A step whose losses are all equal
 * does not change the running means.
 *
 * The first branch's loss must be that of the unperturbed point. Values are multiplied by `Q / (tr(H) + its standard error)`.
 *
 * Source: this library; the balance is that of stochastic gradient descent on a quadratic.
 *
 * @throws {RangeError} for an argument out of range.
 *
 * @example A bowl of known curvature
 * ```ts
 * import { hostOps, scaleByCurvature } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * // f(w) = 50 |w|^2 in 2 dimensions at w = (0.1, 0), along (1, 1) and (-1, -1): tr(H) = 200, slopes 10 and -10.
 * const rule = scaleByCurvature({ epsilon: 0.01, queries: 2, largest: 10 });
 * const at = (x: number, y: number) => 50 * (x * x + y * y);
 * const losses = [at(0.1, 0), at(0.11, 0.01), at(0.09, -0.01)];
 * const { values } = rule.update(hostOps, [10, -10], [0, 0], rule.inputs(0), losses);
 * const error = 10 * 2 / (0.01 * Math.sqrt(2));
 * assertAlmostEquals(values[0], 10 * 2 / (200 + error), 1e-4);
 * ```
 */
export function scaleByCurvature(options: ScaleByCurvatureOptions): Transformation {
  assertOptions("make scaleByCurvature", options, {
    epsilon: { ...squared, required: true },
    queries: { min: 1, max: 1023, whole: true, required: true },
    decay: decayRule,
    // The limit is larger than that of epsilon, because the default is a multiple of epsilon.
    largest: { ...squared, max: 1e19 },
  });
  const { epsilon, queries, decay = 0.95, largest = 2 * epsilon } = options;
  return {
    name: "scaleByCurvature",
    parameters: { epsilon, queries, decay, largest },
    power: 1,
    stateSize: 2,
    inputSize: 2,
    init: () => [0, 0],
    inputs(step) {
      const left = decay ** (step + 1);
      // The number of independent steps that the weights of the running mean correspond to.
      const effective = (1 - left) * (1 + decay) / ((1 + left) * (1 - decay));
      return [1 / (1 - left), 2 / (epsilon * Math.sqrt(queries * effective))];
    },
    update(o, values, [curvature, square], [correction, errorFactor], losses) {
      if (!losses || values.length !== queries || losses.length !== queries + 1) {
        throw new TypeError(
          `Cannot scale ${values.length} values by curvature: it needs the losses along ${queries} directions and the unperturbed loss`,
        );
      }
      const mean = (terms: readonly (typeof values)[number][]) =>
        o.mul(terms.reduce((sum, term) => o.add(sum, term)), o.constant(1 / queries));
      const rises = losses.slice(1).map((loss) => o.sub(loss, losses[0]));
      const says = rises.map((rise) => o.abs(rise)).reduce((sum, rise) => o.add(sum, rise));
      const said = o.less(o.constant(0), square);
      const running = (before: (typeof values)[number], value: (typeof values)[number]) => {
        const share = o.mul(value, o.constant(1 - decay));
        return runningMean(o, before, { decay, correction, value, share, says, said });
      };
      const nextCurvature = running(
        curvature,
        o.mul(mean(rises), o.constant(2 / (epsilon * epsilon))),
      );
      const nextSquare = running(square, mean(values.map((value) => o.mul(value, value))));
      const deviation = o.sqrt(o.max(o.mul(nextSquare, correction), o.constant(1e-30)));
      const known = o.max(o.mul(nextCurvature, correction), o.constant(0));
      const denominator = o.add(known, o.mul(deviation, errorFactor));
      const allowed = o.div(o.constant(largest * Math.sqrt(queries)), deviation);
      const factor = o.min(o.div(o.constant(queries), denominator), allowed);
      return {
        values: values.map((value) => o.mul(value, factor)),
        state: [nextCurvature, nextSquare],
      };
    },
  };
}
