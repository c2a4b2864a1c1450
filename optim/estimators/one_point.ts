/**
 * The one-point estimate.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, directions, magnitude } from "../options.ts";

/** Arguments of {@linkcode onePoint}. */
export interface OnePointOptions {
  /** How far to look, in units of the offset; 1e-3 by default. */
  readonly epsilon?: number;
  /** Directions of a step, each with one evaluation; 1 by default, at most 1024. */
  readonly queries?: number;
}

/**
 * One point: `L(w + epsilon z) / epsilon` for each of `queries` directions, one forward each. Unbiased like the others,
 * but with the loss itself in its variance; {@linkcode residualFeedback} takes that out.
 * Branches: plus per direction.
 *
 * Source: Flaxman, Kalai, McMahan, "Online convex optimization in the bandit setting" (2005).
 *
 * @example The loss over epsilon
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
