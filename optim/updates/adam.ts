/**
 * Adam and AdamW with two moments stored per offset.
 *
 * @module
 */
import { assertOptions, magnitude, rate, scheduled, share } from "../options.ts";
import { describeSchedule, type Schedule, scheduleOf } from "../transformations/schedule.ts";
import type { UpdateRule } from "./update_rule.ts";

/** Arguments of {@linkcode adam}. */
export interface AdamOptions {
  /** Learning rate, a number or a schedule. Default 1e-5. */
  readonly learningRate?: number | Schedule;
  /** Fraction of the first moment that a step keeps, greater than 0 and less than 1. Default 0.9. */
  readonly decay?: number;
  /** Fraction of the second moment that a step keeps, greater than 0 and less than 1. Default 0.999. */
  readonly secondDecay?: number;
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
}

/** Arguments of {@linkcode adamw}. */
export interface AdamwOptions extends AdamOptions {
  /** Fraction of an offset that is lost per step, times the learning rate. Default 0.01. */
  readonly weightDecay?: number;
}

/**
 * Adam: `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= learningRate m' / (sqrt(v') + epsilon)`, where `m'` and `v'` are bias-corrected,
 * as in `torch.optim.Adam`. The corrections count the steps of the run. A tensor that moves only in its turn has made fewer, so its first steps
 * are shorter.
 *
 * Source: Kingma and Ba (arXiv 1412.6980).
 *
 * @example The first step has the size of the learning rate
 * ```ts
 * import { adam, elementOps } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const rule = adam({ learningRate: 0.5 });
 * const { offset } = rule.update(elementOps, 0, 40, [0, 0], rule.inputs(0));
 * assertAlmostEquals(offset, -0.5, 1e-6);
 * ```
 */
export function adam(options: AdamOptions = {}): UpdateRule {
  return adamOf("adam", options);
}

/**
 * AdamW: {@linkcode adam} with decoupled weight decay. Offsets lose the fraction `learningRate * weightDecay` of their value before each step.
 * Offsets are added to the base by training, so the decay is towards the base, not towards 0.
 *
 * Source: Loshchilov and Hutter (arXiv 1711.05101); decay towards the base is this library's.
 *
 * @example Half of the offset is lost if the gradient is 0
 * ```ts
 * import { adamw, elementOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = adamw({ learningRate: 0.5, weightDecay: 1 });
 * assertEquals(rule.update(elementOps, 3, 0, [0, 0], rule.inputs(0)).offset, 1.5);
 * ```
 */
export function adamw(options: AdamwOptions = {}): UpdateRule {
  return adamOf("adamw", options);
}

function adamOf(name: "adam" | "adamw", options: AdamwOptions): UpdateRule {
  const rules = {
    learningRate: scheduled,
    decay: share,
    secondDecay: share,
    epsilon: magnitude,
  };
  if (name === "adam") assertOptions<AdamOptions>("make adam", options, rules);
  else assertOptions("make adamw", options, { ...rules, weightDecay: rate });
  const { learningRate = 1e-5, decay = 0.9, secondDecay = 0.999, epsilon = 1e-8 } = options;
  const { weightDecay = name === "adamw" ? 0.01 : undefined } = options;
  const schedule = scheduleOf(learningRate);
  return {
    name,
    parameters: {
      learningRate: describeSchedule(schedule),
      decay,
      secondDecay,
      epsilon,
      ...(weightDecay === undefined ? {} : { weightDecay }),
    },
    stateSize: 2,
    inputSize: 3,
    inputs(update) {
      const rate = schedule.at(update);
      return [
        rate / (1 - decay ** (update + 1)),
        1 / Math.sqrt(1 - secondDecay ** (update + 1)),
        1 - rate * (weightDecay ?? 0),
      ];
    },
    // The last scalar is 1 minus a multiple of the learning rate.
    paced: ([step, correction, kept], rate) => [step * rate, correction, 1 - rate * (1 - kept)],
    update(o, offset, gradient, [first, second], [rate, correction, kept]) {
      const m = o.add(
        o.mul(first, o.constant(decay)),
        o.mul(gradient, o.constant(1 - decay)),
      );
      const v = o.add(
        o.mul(second, o.constant(secondDecay)),
        o.mul(o.mul(gradient, gradient), o.constant(1 - secondDecay)),
      );
      const size = o.add(o.mul(o.sqrt(v), correction), o.constant(epsilon));
      const before = weightDecay === undefined ? offset : o.mul(offset, kept);
      return { offset: o.sub(before, o.mul(rate, o.div(m, size))), state: [m, v] };
    },
  };
}
