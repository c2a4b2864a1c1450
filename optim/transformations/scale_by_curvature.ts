/**
 * Steps as long as the curvature along random directions allows, measured from the losses that a step has anyway.
 *
 * @module
 */
import { assertOptions, decay as decayRule, squared } from "../options.ts";
import { runningMean } from "./running_mean.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode scaleByCurvature}. */
export interface ScaleByCurvatureOptions {
  /** The estimator's: how far its branches look. */
  readonly epsilon: number;
  /** The estimator's directions, 1 to 1023. */
  readonly queries: number;
  /** Share of the running means that a step keeps, from 0 to below 1; 0.95 by default. */
  readonly decay?: number;
  /**
   * Most that a step moves an offset, as a root mean square over offsets and before the learning rate; twice epsilon by default, so that
   * at a learning rate of a half no step is longer than what its branches looked at.
   */
  readonly largest?: number;
}

/**
 * Divides derivatives by the trace of the Hessian per direction, so that a learning rate is the share of a Newton step along what
 * was seen, and means the same on every model, task and form.
 *
 * For losses at `epsilon` along z_q and one at 0 (the estimators `oneSided`, and `centred` with its base), `2 (mean_q L_q - L_0) / epsilon^2`
 * estimates tr(H) = E[zᵀHz]. The mean of Q estimates d_q z_q is g in the mean and has a variance that grows the loss by
 * `|g|^2 tr(H) / 2Q` per squared step length; the step length where both balance is `Q / tr(H)`, times the share of |g|^2
 * that is not the batch's own noise. The running mean of tr(H) is known to a standard error, which is added to it: while little is
 * known, steps are short, and where nothing curves, or noise of the batches says so, their length is bounded by `largest`: differences of losses
 * say nothing of what lies beyond the points that they are of. Without that bound a model in a flat place is thrown out of it.
 *
 * A step whose losses are all equal says nothing of either: the running means stay as they are, and the first that differs is all that is
 * known.
 *
 * The first branch's loss is that of the unperturbed point. Values are multiplied by `Q / (tr(H) + its standard error)`.
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
    // Of an epsilon at its limit it is some times that by default.
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
      // Of the running mean: as many independent steps as its weights amount to.
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
