/**
 * Normalisation of directional derivatives by their running size.
 *
 * @module
 */
import { assertOptions, decay as decayRule, squared } from "../options.ts";
import { runningSquare } from "./running_mean.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode normaliseByRms}. */
export interface NormaliseByRmsOptions {
  /** Share of the running second moment that a step keeps, from 0 to below 1; 0.99 by default. */
  readonly decay?: number;
  /** The root mean square is taken to be at least this, in units of loss per offset; 1e-8 by default. */
  readonly floor?: number;
}

/**
 * Divides the directional derivatives by their running root mean square, so that a learning rate means the same for
 * every model: `v = decay v + (1 - decay) mean(d^2)`, `d / max(sqrt(v / (1 - decay^(step + 1))), floor)`.
 *
 * The present derivative is part of the moment, so no single value exceeds `sqrt(directions / (1 - decay))`. A step whose derivatives are
 * all exactly 0 leaves the root mean square as it is: an objective in steps has many, and they say nothing of the size of others.
 *
 * Source: MEAZO (arXiv 2605.03869): one running scalar does for zeroth-order steps what Adam's per-element moments do.
 * The bias correction is ours, as in Adam.
 *
 * @example Steps of a constant derivative have length 1
 * ```ts
 * import { hostOps, normaliseByRms } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const rule = normaliseByRms();
 * const first = rule.update(hostOps, [40], rule.init(), rule.inputs(0));
 * assertAlmostEquals(first.values[0], 1, 1e-5);
 * const second = rule.update(hostOps, [-40], first.state, rule.inputs(1));
 * assertAlmostEquals(second.values[0], -1, 1e-5);
 * ```
 */
export function normaliseByRms(options: NormaliseByRmsOptions = {}): Transformation {
  assertOptions("make normaliseByRms", options, { decay: decayRule, floor: squared });
  const { decay = 0.99, floor = 1e-8 } = options;
  return {
    name: "normaliseByRms",
    parameters: { decay, floor },
    power: 0,
    stateSize: 1,
    inputSize: 1,
    init: () => [0],
    inputs: (step) => [1 / (1 - decay ** (step + 1))],
    update(o, values, [moment], [correction]) {
      const squares = values.map((value) => o.mul(value, value));
      const sum = squares.reduce((total, square) => o.add(total, square));
      const fresh = o.mul(sum, o.constant((1 - decay) / values.length));
      const value = o.mul(sum, o.constant(1 / values.length));
      const next = runningSquare(o, moment, { decay, correction, value, share: fresh });
      const meanSquare = o.max(o.mul(next, correction), o.constant(floor * floor));
      const reciprocal = o.div(o.constant(1), o.sqrt(meanSquare));
      return { values: values.map((value) => o.mul(value, reciprocal)), state: [next] };
    },
  };
}
