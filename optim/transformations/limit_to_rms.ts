/**
 * Steps that a single batch decides less.
 *
 * @module
 */
import { assertOptions, decay as decayRule } from "../options.ts";
import { runningSquare } from "./running_mean.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode limitToRms}. */
export interface LimitToRmsOptions {
  /** Share of the running second moment that a step keeps, from 0 to below 1; 0.95 by default. */
  readonly decay?: number;
}

/**
 * Makes steps whose root mean square over directions exceeds the running one as long as that, and leaves others as they are.
 *
 * Derivatives that are larger than usual, all of a step, come of a batch with a steep loss of its own more often than of a steep
 * loss: a step along them would be long where least is known. Unlike a clip of single values it keeps their direction, unlike
 * normalisation of every step (FZOO, arXiv 2506.09034) it leaves short steps short, and its bound is in no unit.
 *
 * The present step is part of the running moment, so what is far longer than usual becomes `sqrt(1 - decay)` of its length, and values are multiplied by
 * `min(1, sqrt(v / (1 - decay^(step + 1)) / mean(d^2)))` with `v = decay v + (1 - decay) mean(d^2)`. A step whose derivatives are all exactly
 * 0 leaves the root mean square as it is.
 *
 * Source: this library.
 *
 * @throws {RangeError} for a decay out of range.
 *
 * @example Ten times as large as usual becomes 2.4 times
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
      // Below this both are nothing, and their ratio 1.
      const floor = o.constant(1e-30);
      const ratio = o.div(o.max(o.mul(next, correction), floor), o.max(fresh, floor));
      const factor = o.min(o.sqrt(ratio), o.constant(1));
      return { values: values.map((value) => o.mul(value, factor)), state: [next] };
    },
  };
}
