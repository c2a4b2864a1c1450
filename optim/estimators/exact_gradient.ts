/**
 * The gradient itself.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";

/**
 * The exact gradient, by reverse-mode differentiation: the one direction of a step is the gradient of the loss, and its value is 1. So the
 * scalar rules say how far to go along it, and an update rule gets it as it is. It is for losses that the device computes, and a ledger cannot replay
 * it: no seed says what the gradient was.
 * Branches: the value.
 *
 * @example A step of plain descent has the learning rate as its coefficient
 * ```ts
 * import { exactGradient, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(exactGradient().derivatives(hostOps, [4.5]), [1]);
 * ```
 */
export function exactGradient(): Estimator {
  return {
    name: "exactGradient",
    parameters: {},
    directions: 1,
    branches: [{ direction: 0, amplitude: 1 }],
    exact: true,
    derivatives: (o) => [o.constant(1)],
  };
}
