/**
 * Accumulation of exact gradients over several steps.
 *
 * @module
 */
import { assertNumber } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/**
 * Adds the gradients of `steps` steps, each with its own batch, and moves at the last of them along their mean. The effect is that of a batch
 * `steps` times as large, with the memory of one. It is for {@linkcode exactGradient}, whose gradients are added in place: its norm is then that
 * of the sum, and the rules inside get that of the mean. They see one step in `steps`, including schedules, which therefore count moves (a
 * configuration counts steps and converts).
 *
 * @param steps Number of steps per move, from 2 to 65536. 1 is not an accumulation and is rejected.
 * @param rule The rule that follows the mean. It must not hold directions itself.
 * @throws {RangeError} when either argument is not valid.
 *
 * @example Two batches per move
 * ```ts
 * import { accumulateGradients, hostOps, scaleBySchedule } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = accumulateGradients(2, scaleBySchedule(0.5));
 * assertEquals(rule.update(hostOps, [4], rule.init(), rule.inputs(0)).values, [0]);
 * assertEquals(rule.update(hostOps, [12], rule.init(), rule.inputs(1)).values, [3]);
 * ```
 */
export function accumulateGradients(steps: number, rule: Transformation): Transformation {
  assertNumber("make accumulateGradients", "steps", steps, { min: 2, max: 65536, whole: true });
  if ((rule.hold ?? 1) > 1) {
    throw new RangeError(`Cannot make accumulateGradients: ${rule.name} already holds directions`);
  }
  return {
    name: "accumulateGradients",
    parameters: { steps, rule: { name: rule.name, parameters: rule.parameters } },
    stateSize: rule.stateSize,
    inputSize: 1 + rule.inputSize,
    hold: steps,
    memory: rule.memory ?? 1,
    decays: rule.decays ?? false,
    ...(rule.power === undefined ? {} : { power: rule.power }),
    init: () => rule.init(),
    inputs: (step) => [
      step % steps === steps - 1 ? 1 : 0,
      ...rule.inputs(Math.floor(step / steps)),
    ],
    update(o, values, state, [last, ...inputs], losses) {
      const mean = values.map((value) => o.mul(value, o.constant(1 / steps)));
      const moved = rule.update(o, mean, state, inputs, losses);
      return {
        values: moved.values.map((value) => o.select(last, value, o.constant(0))),
        acts: last,
        state: moved.state.map((value, i) => o.select(last, value, state[i])),
      };
    },
  };
}
