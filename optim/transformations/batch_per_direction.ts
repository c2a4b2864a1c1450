/**
 * A batch for each direction.
 *
 * @module
 */
import { assertNumber, assertOptions } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/**
 * Stays where it is for `batches` steps, looks along other directions in each, on the step's own batch, and moves at the last of them
 * along all by the mean: a step of that many queries with a batch for each, where queries of one step share theirs. The rules inside
 * see the derivatives of all, newest first, once in `batches` steps; schedules inside count these moves.
 *
 * Both sides of a direction always share a batch: the difference of two batches would be divided by epsilon. Every direction is
 * made again from its seed when it moves, so a ledger has a coefficient for each in every step.
 *
 * @param batches from 2 to 1024; one batch for all is what queries have anyway.
 * @param rule what follows; it must not hold, remember or decay anything itself. Update rules with state per offset cannot follow.
 * @throws RangeError when one of them is not so.
 *
 * @example Two directions, the second step moves along both
 * ```ts
 * import { batchPerDirection, hostOps, scaleBySchedule } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = batchPerDirection(2, scaleBySchedule(0.5));
 * const first = rule.update(hostOps, [4], rule.init(), rule.inputs(0));
 * assertEquals(first.values, [0, 0]);
 * assertEquals(rule.update(hostOps, [8], first.state, rule.inputs(1)).values, [2, 1]);
 * ```
 */
export function batchPerDirection(
  batches: number,
  rule: Transformation,
  options: { /** Directions of a step; 1 by default. */ readonly directions?: number } = {},
): Transformation {
  const what = "make batchPerDirection";
  assertOptions(what, options, { directions: { min: 1, max: 512, whole: true } });
  const { directions = 1 } = options;
  const most = Math.floor(1024 / directions);
  assertNumber(what, "batches", batches, { min: 2, max: most, whole: true });
  if ((rule.hold ?? 1) > 1 || (rule.memory ?? 1) > 1 || rule.decays) {
    throw new RangeError(
      `Cannot make batchPerDirection: ${rule.name} already holds or remembers directions, or decays`,
    );
  }
  const before = (batches - 1) * directions;
  return {
    name: "batchPerDirection",
    parameters: {
      batches,
      directions,
      rule: { name: rule.name, parameters: rule.parameters },
    },
    stateSize: before + rule.stateSize,
    inputSize: 1 + rule.inputSize,
    memory: batches,
    period: batches,
    ...(rule.power === undefined ? {} : { power: rule.power }),
    init: () => [...new Array<number>(before).fill(0), ...rule.init()],
    inputs: (step) => [
      step % batches === batches - 1 ? 1 : 0,
      ...rule.inputs(Math.floor(step / batches)),
    ],
    update(o, values, state, [last, ...inputs], losses) {
      if (values.length !== directions) {
        throw new TypeError(
          `Cannot give a batch to each of ${values.length} values: made for ${directions} directions`,
        );
      }
      const zero = o.constant(0);
      const share = o.constant(1 / batches);
      const seen = [...values, ...state.slice(0, before)];
      const kept = state.slice(before);
      const moved = rule.update(o, seen, kept, inputs, losses);
      return {
        values: moved.values.map((value) => o.select(last, o.mul(value, share), zero)),
        state: [
          ...seen.slice(0, before),
          ...moved.state.map((value, i) => o.select(last, value, kept[i])),
        ],
      };
    },
  };
}
