/**
 * Accumulation over several steps.
 *
 * @module
 */
import { assertNumber, assertOptions, directions as directionsRule } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/**
 * Evaluates the same directions in `steps` consecutive steps, each with its own batch, and moves at the last of them by the mean. The effect is
 * that of a batch `steps` times as large, with the memory of one. The rules inside see one step in `steps`, including their state and schedules,
 * which therefore count moves (a configuration counts steps and converts). The other steps move nothing.
 *
 * QZO's released code does not support accumulation; this is the usual kind. With directions that change in each step there would be nothing to
 * accumulate, because each step might as well move.
 *
 * @param steps Number of steps per move, from 2 to 65536. 1 is not an accumulation and is rejected.
 * @param rule The rule that follows the mean. It must not hold directions itself.
 * @throws {RangeError} when either argument is not valid.
 *
 * @example Two batches per move
 * ```ts
 * import { accumulate, hostOps, scaleBySchedule } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = accumulate(2, scaleBySchedule(0.5));
 * const first = rule.update(hostOps, [4], rule.init(), rule.inputs(0));
 * assertEquals(first.values, [0]);
 * assertEquals(rule.update(hostOps, [8], first.state, rule.inputs(1)).values, [3]);
 * ```
 */
export function accumulate(
  steps: number,
  rule: Transformation,
  options: { /** Directions per step. Default 1. */ readonly directions?: number } = {},
): Transformation {
  assertNumber("make accumulate", "steps", steps, { min: 2, max: 65536, whole: true });
  assertOptions("make accumulate", options, { directions: directionsRule });
  const { directions = 1 } = options;
  if ((rule.hold ?? 1) > 1) {
    throw new RangeError(`Cannot make accumulate: ${rule.name} already holds directions`);
  }
  return {
    name: "accumulate",
    parameters: {
      steps,
      directions,
      rule: { name: rule.name, parameters: rule.parameters },
    },
    stateSize: directions + rule.stateSize,
    inputSize: 2 + rule.inputSize,
    memory: rule.memory ?? 1,
    decays: rule.decays ?? false,
    hold: steps,
    ...(rule.power === undefined ? {} : { power: rule.power }),
    init: () => [...new Array<number>(directions).fill(0), ...rule.init()],
    inputs(step) {
      const within = step % steps;
      return [
        within === 0 ? 0 : 1,
        within === steps - 1 ? 1 : 0,
        ...rule.inputs(Math.floor(step / steps)),
      ];
    },
    update(o, values, state, [going, last, ...inputs], losses) {
      if (values.length !== directions) {
        throw new TypeError(
          `Cannot accumulate ${values.length} values: made for ${directions} directions`,
        );
      }
      const zero = o.constant(0);
      const sums = values.map((value, i) => o.add(value, o.select(going, state[i], zero)));
      const share = o.constant(1 / steps);
      const kept = state.slice(directions);
      const moved = rule.update(o, sums.map((sum) => o.mul(sum, share)), kept, inputs, losses);
      return {
        values: moved.values.map((value) => o.select(last, value, zero)),
        acts: last,
        state: [...sums, ...moved.state.map((value, i) => o.select(last, value, kept[i]))],
      };
    },
  };
}
