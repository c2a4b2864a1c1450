/**
 * Clipping of directional derivatives.
 *
 * @module
 */
import { assertNumber, magnitude } from "../options.ts";
import { elementwise, type Transformation } from "./transformation.ts";

/**
 * Limits every directional derivative to `[-threshold, threshold]`. The clipped estimate is biased, because whether it is clipped depends on the
 * direction.
 *
 * Source: QZO (arXiv 2505.13430), where the threshold is 100.
 *
 * @param threshold Threshold in units of loss per offset, greater than 0.
 *
 * @example Both signs are limited
 * ```ts
 * import { clipDerivative, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(clipDerivative(100).update(hostOps, [250, -7], [], []).values, [100, -7]);
 * ```
 */
export function clipDerivative(threshold: number): Transformation {
  assertNumber("make clipDerivative", "the threshold", threshold, magnitude);
  return elementwise(
    "clipDerivative",
    { threshold },
    (o, value) => o.min(o.max(value, o.constant(-threshold)), o.constant(threshold)),
  );
}
