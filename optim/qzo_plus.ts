/**
 * The recipe that this library's own measurements favour for quantised scales.
 *
 * @module
 */
import { centred } from "./centred.ts";
import { clipDerivative } from "./clip_derivative.ts";
import type { NamedOptions } from "./named.ts";
import { normaliseByRms } from "./normalise_by_rms.ts";
import { type Optimiser, optimiser } from "./optimiser.ts";
import { scaleBySchedule } from "./scale_by_schedule.ts";

/**
 * QZO+: relative offsets, 16 one-sided branches around their own mean, derivatives divided by their running RMS and clipped
 * at 3 of them; epsilon 0.01, learning rate 0.05.
 *
 * What differs from {@linkcode qzo} and why: every forward is a direction, so there are twice as many at equal forwards;
 * relative offsets and normalised derivatives make a learning rate mean the same on models whose derivatives differ by
 * orders of magnitude. What it costs: activations of 16 branches instead of 2; take fewer `queries`, with the learning
 * rate in proportion, where memory is short.
 *
 * Source: this library's measurements (`bench/results/`); the parts' sources stand with the parts.
 *
 * @example 16 forwards, 16 directions
 * ```ts
 * import { qzoPlus } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { directions, branches } = qzoPlus().estimator;
 * assertEquals([directions, branches.length], [16, 16]);
 * ```
 */
export function qzoPlus(options: NamedOptions = {}): Optimiser {
  const { epsilon = 0.01, queries = 16, learningRate = 0.05, form = "relative" } = options;
  return optimiser({
    ...options,
    name: "qzoPlus",
    estimator: centred({ epsilon, queries }),
    transformations: [normaliseByRms({}), clipDerivative(3), scaleBySchedule(learningRate)],
    form,
    projection: options.projection ?? "keep-sign",
  });
}
