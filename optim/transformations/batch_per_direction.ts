/**
 * A separate batch for each direction.
 *
 * @module
 */
import { assertNumber, assertOptions } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/**
 * Evaluates other directions in each of `batches` steps, each with its own batch, and moves at the last of them along all directions by the
 * mean. This is a step with that many queries, each with its own batch, while the queries of a single step share one. The rules inside see all
 * derivatives, newest first, once in `batches` steps; schedules inside count these moves.
 *
 * Both sides of a direction always use the same batch, because otherwise the difference between two batches would be divided by epsilon. Every
 * direction is regenerated from its seed for the move, so each ledger record has a coefficient for each of them.
 *
 * @param batches Number of steps per move, from 2 to 1024. A single batch for all directions is what queries have without this rule.
 * @param rule The rule that follows. It must not hold, remember or decay anything itself. Update rules with a state per offset cannot follow.
 * @throws {RangeError} when either argument is not valid.
 *
 * @example The second step moves along both directions
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
  options: { /** Directions per step. Default 1. */ readonly directions?: number } = {},
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
