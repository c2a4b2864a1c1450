/**
 * The one-sided estimate whose baseline is the mean of its own branches.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, magnitude } from "../options.ts";

/** Arguments of {@linkcode centred}. */
export interface CentredOptions {
  /** How far to look, in units of the offset; 1e-3 by default. */
  readonly epsilon?: number;
  /** Directions of a step, each one evaluation; 16 by default, 2 to 1023. */
  readonly queries?: number;
  /** Evaluate the unperturbed point too, as the first branch: for who looks at curvature. False by default. */
  readonly base?: boolean;
}

/**
 * One-sided against the other branches: `(L(w + epsilon z_i) - mean over j != i of L(w + epsilon z_j)) / epsilon`.
 *
 * Every forward is a direction: twice as many as two-sided estimates have at equal forwards, and no evaluation is spent on
 * the unperturbed point. The baseline is independent of `z_i`, so it adds no bias to the one-sided estimate, and what the
 * curvature adds to every branch alike cancels. Its price: a step has `queries` branches, and their activations.
 *
 * Source: the leave-one-out baseline of Kool, van Hoof and Welling, "Buy 4 REINFORCE samples, get a baseline for free!"
 * (2019), on the estimator of Salimans et al. (arXiv 1703.03864).
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
