/**
 * The best of three points.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, magnitude } from "../options.ts";

/** Arguments of {@linkcode threePoint}. */
export interface ThreePointOptions {
  /** Distance of the outer points in units of the offset, which is also the length of a step. Default 1e-3. */
  readonly epsilon?: number;
}

/**
 * The best of three points: stay, forward or back, by the lowest of `L(w)`, `L(w + epsilon z)` and `L(w - epsilon z)`. On a tie the step stays.
 * The value is 0, `-epsilon` or `epsilon`, which moves exactly to the chosen point if no rule changes it. Branches: the base, plus, minus.
 *
 * Source: the stochastic three-point method, Bergou, Gorbunov, Richtarik (arXiv 1902.03591, algorithm 1).
 *
 * @example Forward is best
 * ```ts
 * import { hostOps, threePoint } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(threePoint({ epsilon: 0.5 }).derivatives(hostOps, [3, 2, 4]), [-0.5]);
 * assertEquals(threePoint({ epsilon: 0.5 }).derivatives(hostOps, [1, 2, 4]), [0]);
 * ```
 */
export function threePoint(options: ThreePointOptions = {}): Estimator {
  assertOptions("make threePoint", options, { epsilon: magnitude });
  const { epsilon = 1e-3 } = options;
  return {
    name: "threePoint",
    parameters: { epsilon },
    directions: 1,
    power: 1,
    branches: [0, epsilon, -epsilon].map((amplitude) => ({ direction: 0, amplitude })),
    derivatives(o, [stay, forward, back]) {
      const better = o.select(
        o.less(back, forward),
        o.constant(epsilon),
        o.constant(-epsilon),
      );
      return [o.select(o.less(o.min(forward, back), stay), better, o.constant(0))];
    },
  };
}
