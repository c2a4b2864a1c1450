/**
 * Decay of offsets towards the base model.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { type Schedule, scheduleOf } from "./schedule.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode decayOffsets}. */
export interface DecayOffsetsOptions {
  /** Offsets shrink by the fraction 2^-bits at a time. From 4 to 16; default 10. */
  readonly bits?: number;
  /** Directions per step. Default 1. */
  readonly directions?: number;
}

/**
 * Decoupled weight decay of the offsets, and therefore towards the base: each step they lose the fraction `rate` of their value. It must come
 * last, because a later rule would scale it.
 *
 * The decay is applied in portions of `2^-bits`, each as soon as the rates so far add up to one portion. Subtracting a power of two's fraction
 * rounds once, whether or not it is fused, so replays have the same bits. A step that decays has one more coefficient, whose direction is the
 * offset itself; the decay follows the other moves of the step.
 *
 * Source: Loshchilov and Hutter (arXiv 1711.05101). Decay towards the base, where the offset takes the role of AdamW's weight, and decay in
 * portions are this library's.
 *
 * @param rate The fraction per step, usually learning rate times decay: a number or a schedule, always below `2^-bits`.
 *
 * @example One thousandth every ten steps
 * ```ts
 * import { decayOffsets } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = decayOffsets(2 ** -10 / 10);
 * assertEquals([8, 9, 10, 19].map((step) => rule.inputs(step)[0]), [0, 1, 0, 1]);
 * ```
 */
export function decayOffsets(
  rate: number | Schedule,
  options: DecayOffsetsOptions = {},
): Transformation {
  assertOptions("make decayOffsets", options, {
    bits: { min: 4, max: 16, whole: true },
    directions: { min: 1, max: 1023, whole: true },
  });
  const { bits = 10, directions = 1 } = options;
  const schedule = scheduleOf(rate);
  const portion = 2 ** -bits;
  // Sums of rates before each step. They are added in order, so they do not depend on which step is requested first.
  const sums = [0];
  const sumBefore = (step: number) => {
    while (sums.length <= step) {
      const share = schedule.at(sums.length - 1);
      if (share > portion) {
        throw new RangeError(
          `Cannot decay offsets by ${share} at step ${
            sums.length - 1
          }: at most ${portion} is possible; use fewer bits`,
        );
      }
      sums.push(sums[sums.length - 1] + share);
    }
    return sums[step];
  };
  // A small tolerance, so that ten tenths add up to one.
  const due = (step: number) => Math.floor(sumBefore(step) / portion + 1e-9);
  return {
    name: "decayOffsets",
    parameters: { bits, directions, schedule: schedule.name, ...schedule.parameters },
    stateSize: 0,
    inputSize: 1,
    decays: true,
    init: () => [],
    inputs: (step) => [due(step + 1) - due(step)],
    update: (o, values, _state, [now]) => ({
      // The coefficient will be `-value / directions`.
      values: [...values, o.mul(now, o.constant(portion * directions))],
      state: [],
    }),
  };
}
