/**
 * Rejection of steps with an outlying loss.
 *
 * @module
 */
import { assertOptions, count, decay as decayRule, squared } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode rejectSpikes}. */
export interface RejectSpikesOptions {
  /** Number of standard deviations above the running mean from which a loss is a spike. Default 4. */
  readonly threshold?: number;
  /** Fraction of mean and variance that a step keeps, from 0 to below 1. Default 0.98. */
  readonly decay?: number;
  /** Number of initial steps in which nothing is rejected, at least 2. Default 20. */
  readonly warmup?: number;
}

/**
 * Rejects steps whose mean loss over the branches exceeds its running mean by more than `threshold` running standard deviations. Their
 * derivatives are replaced by 0; momentum in a later rule continues. In mean and variance, a spike counts as if it were at the threshold, so a
 * loss that has risen permanently is accepted after some steps. A rise of less than one hundredth of the mean is never a spike, however steady
 * the losses were.
 *
 * Source: this library; the usual safeguard of large-scale training, applied to the losses that a step has anyway.
 *
 * @example A loss of 50 among losses of about 2
 * ```ts
 * import { hostOps, rejectSpikes } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = rejectSpikes();
 * let state = rule.init();
 * for (let step = 0; step < 40; step++) {
 *   const losses = [2 + step % 2, 2];
 *   const made = rule.update(hostOps, [3], state, rule.inputs(step), losses);
 *   assertEquals(made.values, [3]);
 *   state = made.state;
 * }
 * assertEquals(rule.update(hostOps, [3], state, rule.inputs(40), [50, 50]).values, [0]);
 * ```
 */
export function rejectSpikes(options: RejectSpikesOptions = {}): Transformation {
  assertOptions("make rejectSpikes", options, {
    threshold: squared,
    decay: decayRule,
    warmup: { ...count, min: 2 },
  });
  const { threshold = 4, decay = 0.98, warmup = 20 } = options;
  return {
    name: "rejectSpikes",
    parameters: { threshold, decay, warmup },
    stateSize: 2,
    inputSize: 2,
    init: () => [0, 0],
    // A plain average over the first steps, then an exponential one.
    inputs: (step) => [Math.max(1 - decay, 1 / (step + 1)), step < warmup ? 0 : 1],
    update(o, values, [mean, variance], [share, watching], losses) {
      if (!losses) throw new TypeError("Cannot reject spikes: the losses are not given");
      const sum = losses.reduce((total, loss) => o.add(total, loss));
      const above = o.sub(o.mul(sum, o.constant(1 / losses.length)), mean);
      const least = o.mul(mean, o.constant(0.01));
      const limit = o.max(o.mul(variance, o.constant(threshold * threshold)), o.mul(least, least));
      const square = o.mul(above, above);
      const high = o.mul(o.less(o.constant(0), above), o.less(limit, square));
      const spike = o.mul(high, watching);
      // A spike counts as if it were at the limit.
      const seen = o.select(spike, limit, square);
      const step = o.select(spike, o.sqrt(limit), above);
      const kept = o.sub(o.constant(1), share);
      return {
        values: values.map((value) => o.select(spike, o.constant(0), value)),
        state: [
          o.add(mean, o.mul(share, step)),
          o.mul(kept, o.add(variance, o.mul(share, seen))),
        ],
      };
    },
  };
}
