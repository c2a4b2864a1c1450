/**
 * The one-point estimate.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, directions, magnitude } from "../options.ts";

/** Arguments of {@linkcode onePoint}. */
export interface OnePointOptions {
  /** Distance of the evaluated points, in units of the offset. Default 1e-3. */
  readonly epsilon?: number;
  /** Directions per step, at most 1024; each takes one evaluation. Default 1. */
  readonly queries?: number;
}

/**
 * One-point estimate: `L(w + epsilon z) / epsilon` for each of `queries` directions, with one forward pass each. It is as unbiased as the
 * others, but the loss itself contributes to its variance; {@linkcode residualFeedback} removes that contribution. Branches: plus per direction.
 *
 * Source: Flaxman, Kalai, McMahan, "Online convex optimization in the bandit setting" (2005).
 *
 * @example The loss divided by epsilon
 * ```ts
 * import { hostOps, onePoint } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(onePoint({ epsilon: 0.5 }).derivatives(hostOps, [3]), [6]);
 * ```
 */
export function onePoint(options: OnePointOptions = {}): Estimator {
  assertOptions("make onePoint", options, { epsilon: magnitude, queries: directions });
  const { epsilon = 1e-3, queries = 1 } = options;
  return {
    name: "onePoint",
    parameters: { epsilon, queries },
    directions: queries,
    branches: Array.from({ length: queries }, (_, direction) => ({
      direction,
      amplitude: epsilon,
    })),
    derivatives(o, losses) {
      const reciprocal = o.constant(1 / epsilon);
      return losses.map((loss) => o.mul(loss, reciprocal));
    },
  };
}
