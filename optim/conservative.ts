/**
 * Conservative steps: a move is tried in both senses before it is made, and not made where staying is best.
 *
 * @module
 */
import { positive } from "./check.ts";
import type { Estimator } from "./estimator.ts";
import { roundCoefficient } from "./offset.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode lookThenTry}. */
export interface LookThenTryOptions {
  /** How far to look, in units of the offset; 1e-3 by default. */
  readonly epsilon?: number;
}

/**
 * Two steps along one direction: the first looks two-sided, the second evaluates staying, the move that
 * {@linkcode acceptBest} keeps, and its opposite. Five evaluations a move. Only for {@linkcode acceptBest} as the first and only
 * transformation, and only on the host: where the second step looks follows from what the first one saw.
 * Branches: plus, minus, none; then stay, forward, back.
 *
 * Source: ZO-SGD-Cons, Kim et al. (2021), as in ZO-Bench (arXiv 2402.11592).
 *
 * @example Where the steps look
 * ```ts
 * import { lookThenTry } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { amplitudes } = lookThenTry({ epsilon: 0.5 });
 * assertEquals(amplitudes?.(0, [0]), [0.5, -0.5, undefined]);
 * assertEquals(amplitudes?.(1, [0.125]), [0, -0.125, 0.125]);
 * ```
 */
export function lookThenTry({ epsilon = 1e-3 }: LookThenTryOptions = {}): Estimator {
  positive("lookThenTry", "epsilon", epsilon);
  return {
    name: "lookThenTry",
    parameters: { epsilon },
    directions: 1,
    branches: [epsilon, -epsilon, 0].map((amplitude) => ({ direction: 0, amplitude })),
    amplitudes(step, [move]) {
      if (step % 2 === 0) return [epsilon, -epsilon, undefined];
      const coefficient = roundCoefficient(-move);
      return [0, coefficient, -coefficient];
    },
    derivatives: (o, [plus, minus]) => [
      o.mul(o.sub(plus, minus), o.constant(1 / (2 * epsilon))),
    ],
  };
}

/**
 * What `rule` makes of the derivative is kept at the first of two steps and moved at the second, if that has the lowest of three
 * losses: the move, its opposite, or neither; a tie stays. `rule` sees one step in two.
 *
 * @throws RangeError when `rule` holds or remembers directions, or decays offsets.
 */
export function acceptBest(rule: Transformation): Transformation {
  if ((rule.hold ?? 1) > 1 || (rule.memory ?? 1) > 1 || rule.decays) {
    throw new RangeError(
      `Cannot make acceptBest: ${rule.name} holds or remembers directions, or decays offsets`,
    );
  }
  return {
    name: "acceptBest",
    parameters: { rule: { name: rule.name, parameters: rule.parameters } },
    stateSize: 1 + rule.stateSize,
    inputSize: 1 + rule.inputSize,
    hold: 2,
    init: () => [0, ...rule.init()],
    inputs: (step) => [step % 2, ...rule.inputs(Math.floor(step / 2))],
    update(o, values, [kept, ...state], [trying, ...inputs], losses) {
      if (values.length !== 1 || losses?.length !== 3) {
        throw new TypeError("Cannot accept the best: one value and three losses are needed");
      }
      const [stay, forward, back] = losses;
      const looked = rule.update(o, values, state, inputs, losses);
      const zero = o.constant(0);
      const sense = o.select(o.less(back, forward), o.neg(kept), kept);
      const best = o.select(o.less(o.min(forward, back), stay), sense, zero);
      return {
        values: [o.select(trying, best, zero)],
        state: [
          o.select(trying, kept, looked.values[0]),
          ...looked.state.map((next, i) => o.select(trying, state[i], next)),
        ],
      };
    },
  };
}
