/**
 * The exact gradient.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";

/**
 * The exact gradient, by reverse-mode differentiation. The single direction of a step is the normalised gradient of the loss with respect to
 * everything that is trained, and the derivative along it is the gradient's norm. If the scalar rules change nothing, the step is along the
 * gradient itself. {@linkcode clipDerivative} clips it by its norm, and an update rule gets the result.
 *
 * The loss must be computed by the device. A ledger cannot replay such steps, because no seed determines the gradient; a run stores its offsets
 * in a state file instead. Branches: the value, then the norm.
 *
 * @example The norm is returned unchanged
 * ```ts
 * import { exactGradient, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(exactGradient().derivatives(hostOps, [4.5, 0.25]), [0.25]);
 * ```
 */
export function exactGradient(): Estimator {
  return {
    name: "exactGradient",
    parameters: {},
    directions: 1,
    branches: [{ direction: 0, amplitude: 1 }, { direction: 0, amplitude: 0 }],
    exact: true,
    derivatives: (_, [, norm]) => [norm],
  };
}
