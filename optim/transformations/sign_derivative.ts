/**
 * The sign of directional derivatives.
 *
 * @module
 */
import { elementwise, type Transformation } from "./transformation.ts";

/**
 * Keeps only the sign of every directional derivative, so that every step has the same length.
 *
 * @example The magnitude is dropped
 * ```ts
 * import { hostOps, signDerivative } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(signDerivative().update(hostOps, [250, -7, 0], [], []).values, [1, -1, 0]);
 * ```
 */
export function signDerivative(): Transformation {
  return { ...elementwise("signDerivative", {}, (o, value) => o.sign(value)), power: 0 };
}
