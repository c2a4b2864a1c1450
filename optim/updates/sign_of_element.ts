/**
 * Sign descent per offset.
 *
 * @module
 */
import { assertOptions, scheduled } from "../options.ts";
import { describeSchedule, type Schedule, scheduleOf } from "../transformations/schedule.ts";
import type { UpdateRule } from "./update_rule.ts";

/** Arguments of {@linkcode signOfElement}. */
export interface SignOfElementOptions {
  /** Learning rate, a number or a schedule. Default 1e-6. */
  readonly learningRate?: number | Schedule;
}

/**
 * Moves every offset by the learning rate against the sign of its gradient estimate, or not at all if that is 0. With one direction per step,
 * only the sign of z differs between offsets; with several, it is the sign of their sum.
 *
 * Source: Liu, Chen, Chen, Hong, "signSGD via zeroth-order oracle" (ICLR 2019).
 *
 * @example Only the sign matters
 * ```ts
 * import { elementOps, signOfElement } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = signOfElement({ learningRate: 0.5 });
 * assertEquals([9, -1e-3, 0].map((g) => rule.update(elementOps, 1, g, [], [0.5]).offset), [0.5, 1.5, 1]);
 * ```
 */
export function signOfElement(options: SignOfElementOptions = {}): UpdateRule {
  assertOptions("make signOfElement", options, { learningRate: scheduled });
  const { learningRate = 1e-6 } = options;
  const schedule = scheduleOf(learningRate);
  return {
    name: "signOfElement",
    parameters: { learningRate: describeSchedule(schedule) },
    stateSize: 0,
    inputSize: 1,
    inputs: (update) => [schedule.at(update)],
    update: (o, offset, gradient, _state, [rate]) => ({
      offset: o.sub(offset, o.mul(rate, o.sign(gradient))),
      state: [],
    }),
  };
}
