/**
 * The recipe that this library's own measurements favour for quantised scales.
 *
 * @module
 */
import { centred } from "./centred.ts";
import type { NamedOptions } from "./named.ts";
import { type Optimiser, optimiser } from "./optimiser.ts";
import { scaleByCurvature } from "./scale_by_curvature.ts";
import { scaleBySchedule } from "./scale_by_schedule.ts";

/** Arguments of {@linkcode qzoPlus}. */
export interface QzoPlusOptions extends NamedOptions {
  /** The size of z in a tensor is the length of its gradient to this power, 0 to 1; 0 by default: all alike. */
  readonly gainPower?: number;
}

/**
 * QZO+: relative offsets, one a row; 16 one-sided branches around their own mean, and one unperturbed; steps scaled by the
 * curvature that they see. Epsilon 0.04, learning rate 0.25.
 *
 * What differs from {@linkcode qzo} and why: an offset a row instead of a block, as a step finds its way among fewer of them sooner;
 * nearly every forward is a direction, so there are almost twice as many at equal forwards; relative offsets do not depend on
 * the size of scales; and the learning rate is a share of the step that the curvature allows (see {@linkcode scaleByCurvature}), so it
 * need not be tuned to a model, a task or a number of queries. What it costs: activations of 17 branches instead of 2, or passes over
 * the weights where memory is short.
 *
 * `gainPower: 0.5` makes directions larger in tensors along which the loss is steep (see {@linkcode gainsOf}), for two forwards a tensor before
 * the first step; in runs of a few hundred forwards it costs more than it brings. A {@linkcode Session} takes gains from its tensors.
 * `form: "absolute"` has an offset a block.
 *
 * Source: this library's measurements (`bench/results/`); the parts' sources stand with the parts.
 *
 * @example 17 forwards, 16 directions
 * ```ts
 * import { qzoPlus } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { directions, branches } = qzoPlus().estimator;
 * assertEquals([directions, branches.length], [16, 17]);
 * ```
 */
export function qzoPlus(options: QzoPlusOptions = {}): Optimiser {
  const { epsilon = 0.04, queries = 16, learningRate = 0.25, form = "relative" } = options;
  const { gainPower: power = 0 } = options;
  return optimiser({
    ...options,
    name: "qzoPlus",
    estimator: centred({ epsilon, queries, base: true }),
    transformations: [scaleByCurvature({ epsilon, queries }), scaleBySchedule(learningRate)],
    ...power === 0 ? {} : { gains: { power } },
    form,
    span: form === "relative" ? "row" : "block",
    projection: options.projection ?? "keep-sign",
  });
}
