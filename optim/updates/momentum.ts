/**
 * Momentum with one value stored per offset.
 *
 * @module
 */
import { assertOptions, scheduled, share } from "../options.ts";
import { describeSchedule, type Schedule, scheduleOf } from "../transformations/schedule.ts";
import type { UpdateRule } from "./update_rule.ts";

/** Arguments of {@linkcode momentum}. */
export interface MomentumRuleOptions {
  /** Learning rate, a number or a schedule. Default 1e-6. */
  readonly learningRate?: number | Schedule;
  /** Fraction of the momentum that a step keeps, greater than 0 and less than 1. Default 0.9. */
  readonly decay?: number;
}

/**
 * Heavy-ball momentum: `b = decay b + g; w -= learningRate b`, as `torch.optim.SGD(momentum=decay)`.
 *
 * Source: Polyak (1964); for zeroth-order training ZO-SGD-MMT of ZO-Bench (arXiv 2402.11592).
 *
 * @example Two steps along the same gradient
 * ```ts
 * import { elementOps, momentum } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = momentum({ learningRate: 0.5, decay: 0.5 });
 * const first = rule.update(elementOps, 0, 4, [0], rule.inputs(0));
 * assertEquals(first, { offset: -2, state: [4] });
 * assertEquals(rule.update(elementOps, first.offset, 4, first.state, rule.inputs(1)).offset, -5);
 * ```
 */
export function momentum(options: MomentumRuleOptions = {}): UpdateRule {
  assertOptions("make momentum", options, { learningRate: scheduled, decay: share });
  const { learningRate = 1e-6, decay = 0.9 } = options;
  const schedule = scheduleOf(learningRate);
  return {
    name: "momentum",
    parameters: { learningRate: describeSchedule(schedule), decay },
    stateSize: 1,
    inputSize: 1,
    inputs: (update) => [schedule.at(update)],
    update(o, offset, gradient, [kept], [rate]) {
      const next = o.add(o.mul(kept, o.constant(decay)), gradient);
      return { offset: o.sub(offset, o.mul(rate, next)), state: [next] };
    },
  };
}
