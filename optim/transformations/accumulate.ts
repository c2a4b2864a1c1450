/**
 * Accumulation over steps.
 *
 * @module
 */
import { assertNumber, assertOptions, directions as directionsRule } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/**
 * Looks along the same directions for `steps` steps, each with its own batch, and moves at the last of them by the mean:
 * a batch `steps` times as large in the memory of one. The rules inside see one step in `steps`, state and schedules
 * included, which so count moves (a configuration counts steps and converts); the steps between move nothing.
 *
 * QZO's released code refuses accumulation; this is the usual one. With directions that change from step to step there
 * would be nothing to accumulate: each step could as well move.
 *
 * @param steps from 2 to 65536; 1 is no accumulation and is refused.
 * @param rule what follows the mean; it must not hold directions itself.
 * @throws RangeError when one of them is not so.
 *
 * @example Two batches a move
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
  options: { /** Directions of a step; 1 by default. */ readonly directions?: number } = {},
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
