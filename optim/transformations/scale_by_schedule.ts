/**
 * Multiplication by a learning rate.
 *
 * @module
 */
import { type Schedule, scheduleOf } from "./schedule.ts";
import type { Transformation } from "./transformation.ts";

/**
 * Multiplies every value by the learning rate of the step. A number is a constant schedule.
 *
 * @example Half of the rate at half of the run
 * ```ts
 * import { hostOps, linear, scaleBySchedule } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = scaleBySchedule(linear(0.5, { total: 100 }));
 * assertEquals(rule.inputs(50), [0.25]);
 * assertEquals(rule.update(hostOps, [8], [], rule.inputs(50)).values, [2]);
 * ```
 */
export function scaleBySchedule(learningRate: Schedule | number): Transformation {
  const schedule = scheduleOf(learningRate);
  return {
    name: "scaleBySchedule",
    parameters: { schedule: schedule.name, ...schedule.parameters },
    stateSize: 0,
    inputSize: 1,
    init: () => [],
    inputs: (step) => [schedule.at(step)],
    update: (o, values, _state, [rate]) => ({
      values: values.map((value) => o.mul(value, rate)),
      state: [],
    }),
  };
}
