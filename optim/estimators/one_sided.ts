/**
 * The one-sided estimate.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, directions, magnitude } from "../options.ts";

/** Arguments of {@linkcode oneSided}. */
export interface OneSidedOptions {
  /** Distance of the evaluated points, in units of the offset. Default 1e-3. */
  readonly epsilon?: number;
  /** Directions per step, at most 1024. They share one unperturbed evaluation. Default 1. */
  readonly queries?: number;
}

/**
 * One-sided estimate: `(L(w + epsilon z) - L(w)) / epsilon` for each of `queries` directions, with one shared base evaluation. It takes `queries
 * + 1` forward passes per step instead of `2 queries`, but has a bias of order epsilon. Branches: the base, then plus per direction.
 *
 * @example A slope of 3
 * ```ts
 * import { hostOps, oneSided } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const estimator = oneSided({ epsilon: 0.5, queries: 2 });
 * assertAlmostEquals(estimator.derivatives(hostOps, [1, 2.5, 1])[0], 3);
 * ```
 */
export function oneSided(options: OneSidedOptions = {}): Estimator {
  assertOptions("make oneSided", options, { epsilon: magnitude, queries: directions });
  const { epsilon = 1e-3, queries = 1 } = options;
  return {
    name: "oneSided",
    parameters: { epsilon, queries },
    directions: queries,
    branches: [
      { direction: 0, amplitude: 0 },
      ...Array.from({ length: queries }, (_, direction) => ({ direction, amplitude: epsilon })),
    ],
    derivatives(o, losses) {
      const reciprocal = o.constant(1 / epsilon);
      return Array.from(
        { length: queries },
        (_, q) => o.mul(o.sub(losses[q + 1], losses[0]), reciprocal),
      );
    },
  };
}
