/**
 * The two-sided estimate.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, directions, magnitude } from "../options.ts";

/** Arguments of {@linkcode spsa}. */
export interface SpsaOptions {
  /** Distance of the evaluated points, in units of the offset. Default 1e-3. */
  readonly epsilon?: number;
  /** Directions per step, at most 1024; each takes two evaluations. Default 1. */
  readonly queries?: number;
}

/**
 * Two-sided estimate: `(L(w + epsilon z) - L(w - epsilon z)) / (2 epsilon)` for each of `queries` directions. Branches: plus, minus, per
 * direction.
 *
 * Source: Spall, "Multivariate stochastic approximation using a simultaneous perturbation gradient approximation" (1992); with Gaussian z as in
 * MeZO (arXiv 2305.17333, section 2).
 *
 * @example A slope of 3
 * ```ts
 * import { hostOps, spsa } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const estimator = spsa({ epsilon: 0.5 });
 * assertAlmostEquals(estimator.derivatives(hostOps, [4.5, 1.5])[0], 3);
 * ```
 */
export function spsa(options: SpsaOptions = {}): Estimator {
  assertOptions("make spsa", options, { epsilon: magnitude, queries: directions });
  const { epsilon = 1e-3, queries = 1 } = options;
  return {
    name: "spsa",
    parameters: { epsilon, queries },
    directions: queries,
    branches: Array.from({ length: queries }, (_, direction) => [
      { direction, amplitude: epsilon },
      { direction, amplitude: -epsilon },
    ]).flat(),
    derivatives(o, losses) {
      const reciprocal = o.constant(1 / (2 * epsilon));
      return Array.from(
        { length: queries },
        (_, q) => o.mul(o.sub(losses[2 * q], losses[2 * q + 1]), reciprocal),
      );
    },
  };
}
