/**
 * Decay of offsets towards their base.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { type Schedule, scheduleOf } from "./schedule.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode decayOffsets}. */
export interface DecayOffsetsOptions {
  /** Offsets shrink by 2^-bits at a time; 10 by default, from 4 to 16. */
  readonly bits?: number;
  /** Directions of a step; 1 by default. */
  readonly directions?: number;
}

/**
 * Decoupled weight decay, of the offsets and so towards the base: they lose the share `rate` of themselves a step. Comes last: what
 * follows it would scale it.
 *
 * They lose it in portions of `2^-bits`, each as soon as the rates so far add up to one, since subtracting a power of two's share
 * rounds once whether it is fused or not: replays keep their bits. A step that decays has one more coefficient, whose direction is
 * the offset itself; the decay follows the step's moves.
 *
 * Source: Loshchilov and Hutter (arXiv 1711.05101); towards the base, for which the offset is what AdamW's weight is, and in
 * portions, is ours.
 *
 * @param rate the share a step, usually learning rate times decay; constant or scheduled, below `2^-bits` throughout.
 *
 * @example A thousandth every ten steps
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
  // Portions due before each step; sums of rates do not depend on which step is asked for first.
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
  // The least slack lets ten tenths be one.
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
      // The coefficient is `-value / directions`.
      values: [...values, o.mul(now, o.constant(portion * directions))],
      state: [],
    }),
  };
}
