/**
 * Adam and AdamW with two moments kept per offset.
 *
 * @module
 */
import { assertOptions, magnitude, rate, scheduled, share } from "../options.ts";
import { describeSchedule, type Schedule, scheduleOf } from "../transformations/schedule.ts";
import type { UpdateRule } from "./update_rule.ts";

/** Arguments of {@linkcode adam}. */
export interface AdamOptions {
  /** The learning rate, constant or scheduled; 1e-5 by default. */
  readonly learningRate?: number | Schedule;
  /** Share of the first moment that a step keeps, above 0 and below 1; 0.9 by default. */
  readonly decay?: number;
  /** Share of the second moment that a step keeps, above 0 and below 1; 0.999 by default. */
  readonly secondDecay?: number;
  /** Added to the root of the second moment; 1e-8 by default. */
  readonly epsilon?: number;
}

/** Arguments of {@linkcode adamw}. */
export interface AdamwOptions extends AdamOptions {
  /** Share of itself that an offset loses a step, times the learning rate; 0.01 by default. */
  readonly weightDecay?: number;
}

/**
 * Adam: `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= learningRate m' / (sqrt(v') + epsilon)`, `m'` and `v'` corrected
 * for their start at 0, as `torch.optim.Adam`.
 *
 * The corrections count the steps of the run. A tensor that moves in turns has made fewer, so its first steps are shorter.
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
 * AdamW: {@linkcode adam}, and offsets lose the share `learningRate * weightDecay` of themselves before each step. Offsets are
 * what training adds to the base, so the decay is towards the base, not towards 0.
 *
 * Source: Loshchilov and Hutter (arXiv 1711.05101); towards the base is ours.
 *
 * @example Half of the offset is lost where the gradient is 0
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
    // The last is 1 minus a multiple of the learning rate.
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
