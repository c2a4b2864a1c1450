/**
 * Limits the influence of a single batch on a step's length.
 *
 * @module
 */
import { assertOptions, decay as decayRule } from "../options.ts";
import { runningSquare } from "./running_mean.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode limitToRms}. */
export interface LimitToRmsOptions {
  /** Fraction of the running second moment that a step keeps, from 0 to below 1. Default 0.95. */
  readonly decay?: number;
}

/**
 * Shortens steps whose root mean square over directions exceeds the running one to that length; other steps are unchanged.
 *
 * If all derivatives of a step are larger than usual, the cause is more often a batch with a steep loss of its own than a steep loss, and the
 * step would be long where little is known. Unlike clipping of single values, this keeps the direction of the step. Unlike normalisation of
 * every step (FZOO, arXiv 2506.09034), it keeps short steps short, and its limit has no unit.
 *
 * The current step is part of the running moment, so a step that is far longer than usual is shortened to `sqrt(1 - decay)` of its length.
 * Values are multiplied by `min(1, sqrt(v / (1 - decay^(step + 1)) / mean(d^2)))` with `v = decay v + (1 - decay) mean(d^2)`. A step whose
 * derivatives are all exactly 0 does not change the root mean square.
 *
 * Source: this library.
 *
 * @throws {RangeError} for a decay out of range.
 *
 * @example Derivatives ten times larger than usual
 * ```ts
 * import { hostOps, limitToRms } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const rule = limitToRms();
 * let state = rule.init();
 * for (let step = 0; step < 200; step++) {
 *   ({ state } = rule.update(hostOps, [1, -1], state, rule.inputs(step)));
 * }
 * const { values } = rule.update(hostOps, [10, -10], state, rule.inputs(200));
 * assertAlmostEquals(values[0], Math.sqrt(0.95 + 0.05 * 100), 1e-3);
 * ```
 */
export function limitToRms(options: LimitToRmsOptions = {}): Transformation {
  assertOptions("make limitToRms", options, { decay: decayRule });
  const { decay = 0.95 } = options;
  return {
    name: "limitToRms",
    parameters: { decay },
    stateSize: 1,
    inputSize: 1,
    init: () => [0],
    inputs: (step) => [1 / (1 - decay ** (step + 1))],
    update(o, values, [moment], [correction]) {
      const sum = values.map((value) => o.mul(value, value)).reduce((a, b) => o.add(a, b));
      const fresh = o.mul(sum, o.constant(1 / values.length));
      const share = o.mul(fresh, o.constant(1 - decay));
      const next = runningSquare(o, moment, { decay, correction, value: fresh, share });
      // Below this, both count as zero and their ratio is 1.
      const floor = o.constant(1e-30);
      const ratio = o.div(o.max(o.mul(next, correction), floor), o.max(fresh, floor));
      const factor = o.min(o.sqrt(ratio), o.constant(1));
      return { values: values.map((value) => o.mul(value, factor)), state: [next] };
    },
  };
}
