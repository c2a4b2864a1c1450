/**
 * The gradient itself.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";

/**
 * The exact gradient, by reverse-mode differentiation: the one direction of a step is the normalised gradient of the loss over all that is trained,
 * and the derivative along it is the gradient's norm. So a step that the scalar rules leave as it is goes along the gradient itself, {@linkcode
 * clipDerivative} clips it by its norm, and an update rule gets what they leave. It is for losses that the device computes, and a ledger cannot replay
 * it: no seed says what the gradient was. A run keeps its offsets in a state file instead.
 * Branches: the value, then the norm.
 *
 * @example The norm is told as it is
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
