/**
 * The one-sided estimate with the mean of the other branches as baseline.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, magnitude } from "../options.ts";

/** Arguments of {@linkcode centred}. */
export interface CentredOptions {
  /** Distance of the evaluated points, in units of the offset. Default 1e-3. */
  readonly epsilon?: number;
  /** Directions per step, 2 to 1023; each takes one evaluation. Default 16. */
  readonly queries?: number;
  /** Whether to evaluate the unperturbed point too, as the first branch, for rules that measure curvature. Default false. */
  readonly base?: boolean;
}

/**
 * One-sided differences from the mean of the other branches: `(L(w + epsilon z_i) - mean over j != i of L(w + epsilon z_j)) / epsilon`.
 *
 * Every forward pass is a direction, twice as many as two-sided estimates have with the same number of forward passes, and none is spent on the
 * unperturbed point. The baseline is independent of `z_i`, so it adds no bias to the one-sided estimate, and a contribution of curvature common
 * to all branches cancels. The cost is that a step has `queries` branches and their activations.
 *
 * Source: the leave-one-out baseline of Kool, van Hoof and Welling, "Buy 4 REINFORCE samples, get a baseline for free!" (2019), applied to the
 * estimator of Salimans et al. (arXiv 1703.03864).
 *
 * @example Slopes of 3 and -1 around their own mean
 * ```ts
 * import { centred, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const estimator = centred({ epsilon: 0.5, queries: 2 });
 * assertEquals(estimator.derivatives(hostOps, [2.5, 0.5]), [4, -4]);
 * ```
 */
export function centred(options: CentredOptions = {}): Estimator {
  assertOptions("make centred", options, {
    epsilon: magnitude,
    queries: { min: 2, max: 1023, whole: true },
    base: { flag: true },
  });
  const { epsilon = 1e-3, queries = 16, base = false } = options;
  const along = Array.from({ length: queries }, (_, direction) => ({
    direction,
    amplitude: epsilon,
  }));
  return {
    name: "centred",
    parameters: { epsilon, queries, ...(base ? { base } : {}) },
    directions: queries,
    branches: base ? [{ direction: 0, amplitude: 0 }, ...along] : along,
    derivatives(o, losses) {
      const seen = base ? losses.slice(1) : losses;
      const sum = seen.reduce((total, loss) => o.add(total, loss));
      const mean = o.mul(sum, o.constant(1 / queries));
      const factor = o.constant(queries / (queries - 1) / epsilon);
      return seen.map((loss) => o.mul(o.sub(loss, mean), factor));
    },
  };
}
