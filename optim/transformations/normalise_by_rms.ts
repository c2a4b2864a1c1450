/**
 * Normalisation of directional derivatives by their running magnitude.
 *
 * @module
 */
import { assertOptions, decay as decayRule, squared } from "../options.ts";
import { runningSquare } from "./running_mean.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode normaliseByRms}. */
export interface NormaliseByRmsOptions {
  /** Fraction of the running second moment that a step keeps, from 0 to below 1. Default 0.99. */
  readonly decay?: number;
  /** Lower limit of the root mean square, in units of loss per offset. Default 1e-8. */
  readonly floor?: number;
}

/**
 * Divides the directional derivatives by their running root mean square, so that a learning rate has the same meaning for every model: `v =
 * decay v + (1 - decay) mean(d^2)`, `d / max(sqrt(v / (1 - decay^(step + 1))), floor)`.
 *
 * The current derivative is part of the moment, so no value exceeds `sqrt(directions / (1 - decay))`. A step whose derivatives are all exactly 0
 * does not change the root mean square: with piecewise constant objectives there are many, and they carry no information about the magnitude of
 * others.
 *
 * Source: MEAZO (arXiv 2605.03869): for zeroth-order steps, one running scalar has the effect of Adam's moments per element. The bias
 * correction, as in Adam, is this library's.
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
