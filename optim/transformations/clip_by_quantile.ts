/**
 * Clipping at a running quantile.
 *
 * @module
 */
import { assertOptions, share } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode clipByQuantile}. */
export interface ClipByQuantileOptions {
  /** Fraction of the magnitudes below the threshold, between 0 and 1. Default 0.95. */
  readonly quantile?: number;
  /** Speed at which the threshold moves once it has settled, in natural logarithms per value. Default 0.05. */
  readonly rate?: number;
}

/** Lower limit of the threshold, far from subnormal numbers. */
const lowest = 1e-30;

/**
 * Limits every directional derivative to a threshold that follows a quantile of their magnitudes. Each magnitude above the threshold raises it
 * by a factor `exp(rate quantile)`, and each below lowers it by `exp(rate (1 - quantile))`, which is in balance if a fraction `quantile` lies
 * below.
 *
 * The first step with non-zero derivatives sets the threshold to their mean magnitude, and the first steps move it faster, starting from the
 * median. A step is clipped by the threshold that earlier steps left, so a spike cannot raise its own. Derivatives of exactly 0, which occur
 * with piecewise constant objectives, are ignored.
 *
 * It is biased like any clipping, but there is no value to choose for a model. Stochastic approximation in the sense of Robbins and Monro
 * (1951).
 *
 * @example A spike is limited to the size of earlier derivatives
 * ```ts
 * import { clipByQuantile, hostOps } from "@qzo/qzo/optim";
 * import { assert } from "@std/assert";
 *
 * const rule = clipByQuantile();
 * let state = rule.init();
 * for (let step = 0; step < 100; step++) {
 *   state = rule.update(hostOps, [step % 2 ? 3 : -1], state, rule.inputs(step)).state;
 * }
 * assert(rule.update(hostOps, [1e6], state, rule.inputs(100)).values[0] < 4);
 * ```
 */
export function clipByQuantile(options: ClipByQuantileOptions = {}): Transformation {
  // At higher rates, a factor would be infinite in f32.
  assertOptions("make clipByQuantile", options, {
    quantile: share,
    rate: { min: 0, above: true, max: 80 },
  });
  const { quantile = 0.95, rate = 0.05 } = options;
  return {
    name: "clipByQuantile",
    parameters: { quantile, rate },
    stateSize: 1,
    inputSize: 2,
    // 0 until the first non-zero magnitude.
    init: () => [0],
    inputs(step) {
      const early = 1 / (1 + step / 8);
      const now = Math.max(rate, early);
      // Towards the median at first, because the very first magnitude may have been a spike.
      const below = quantile + (0.5 - quantile) * early;
      return [Math.exp(now * below), Math.exp(-now * (1 - below))];
    },
    update(o, values, [stored], [up, down]) {
      const sizes = values.map((value) => o.abs(value));
      const sum = sizes.reduce((total, size) => o.add(total, size));
      const [zero, one, floor] = [0, 1, lowest].map((value) => o.constant(value));
      const seen = sizes.map((size) => o.less(zero, size));
      const count = seen.reduce((total, one) => o.add(total, one));
      const mean = o.select(
        o.less(count, o.constant(values.length)),
        o.div(sum, o.max(count, one)),
        o.mul(sum, o.constant(1 / values.length)),
      );
      const threshold = o.max(o.select(o.less(zero, stored), stored, mean), floor);
      const next = sizes.reduce((moved, size, i) => {
        const after = o.max(o.mul(moved, o.select(o.less(threshold, size), up, down)), floor);
        return o.select(seen[i], after, moved);
      }, threshold);
      const low = o.neg(threshold);
      return {
        values: values.map((value) => o.min(o.max(value, low), threshold)),
        state: [o.select(o.add(count, stored), next, zero)],
      };
    },
  };
}
