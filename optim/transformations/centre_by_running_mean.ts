/**
 * Centres one-sided derivatives around a running baseline.
 *
 * @module
 */
import { assertOptions, decay as decayRule } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode centreByRunningMean}. */
export interface CentreByRunningMeanOptions {
  /** Number of directions of the estimator, 2 to 1023. */
  readonly queries: number;
  /** Fraction of the running mean that a step keeps, from 0 to below 1. Default 0.95. */
  readonly decay?: number;
}

/**
 * Subtracts from the derivatives of a step their running mean over steps. This removes what curvature adds to all one-sided derivatives alike:
 * half of epsilon times the trace of the Hessian.
 *
 * The mean of a single step's N branches would remove it too (estimator `centred`), but with a variance N / (N - 1) times as large, which is a
 * third more for four branches. The mean over about 20 steps is known better and costs next to nothing, as long as curvature changes more slowly
 * than that. A derivative d_q contributes to its own baseline with the weight w / N of the current step, so values are divided by `1 - w / N`,
 * which makes them unbiased. In the first step they are exactly those of `centred`.
 *
 * Source: this library; a control variate whose mean is estimated from earlier samples.
 *
 * @throws {RangeError} for an argument out of range.
 *
 * @example The first step is centred around its own mean, later ones around the running mean
 * ```ts
 * import { centreByRunningMean, hostOps } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const rule = centreByRunningMean({ queries: 2 });
 * const first = rule.update(hostOps, [7, 3], rule.init(), rule.inputs(0));
 * assertAlmostEquals(first.values[0], 4, 1e-5); // centred: 7 - 3
 * let state = first.state;
 * for (let step = 1; step < 200; step++) {
 *   ({ state } = rule.update(hostOps, [7, 3], state, rule.inputs(step)));
 * }
 * const last = rule.update(hostOps, [9, 5], state, rule.inputs(200));
 * assertAlmostEquals(last.values[0], (9 - 5.1) / (1 - 0.05 / 2), 1e-4);
 * ```
 */
export function centreByRunningMean(options: CentreByRunningMeanOptions): Transformation {
  assertOptions("make centreByRunningMean", options, {
    queries: { min: 2, max: 1023, whole: true, required: true },
    decay: decayRule,
  });
  const { queries, decay = 0.95 } = options;
  return {
    name: "centreByRunningMean",
    parameters: { queries, decay },
    stateSize: 1,
    inputSize: 2,
    init: () => [0],
    inputs(step) {
      const seen = 1 - decay ** (step + 1);
      return [1 / seen, 1 / (1 - (1 - decay) / seen / queries)];
    },
    update(o, values, [running], [correction, factor]) {
      if (values.length !== queries) {
        throw new TypeError(
          `Cannot centre ${values.length} values: the rule was made for ${queries} directions`,
        );
      }
      const sum = values.reduce((total, value) => o.add(total, value));
      const next = o.add(
        o.mul(running, o.constant(decay)),
        o.mul(sum, o.constant((1 - decay) / queries)),
      );
      const mean = o.mul(next, correction);
      return {
        values: values.map((value) => o.mul(o.sub(value, mean), factor)),
        state: [next],
      };
    },
  };
}
