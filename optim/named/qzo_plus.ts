/**
 * The recipe that this library's own measurements favour for quantised scales.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { centreByRunningMean } from "../transformations/centre_by_running_mean.ts";
import { type NamedOptions, namedRules } from "./named.ts";
import { type Optimiser, optimiser } from "../optimiser.ts";
import { limitToRms } from "../transformations/limit_to_rms.ts";
import { oneSided } from "../estimators/one_sided.ts";
import { scaleByCurvature } from "../transformations/scale_by_curvature.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { linear } from "../transformations/schedule.ts";

/** Arguments of {@linkcode qzoPlus}. */
export interface QzoPlusOptions extends NamedOptions {
  /** The size of z in a tensor is the length of its gradient to this power, 0 to 1; 0 by default: all alike. */
  readonly gainPower?: number;
  /** Most that a step moves an offset before the learning rate, as a root mean square; twice epsilon by default. */
  readonly largest?: number;
  /**
   * Steps of the run: the learning rate falls in a straight line to 0 by the last, as it does by default in configurations, on the command line
   * and in this library's tables. Without it, and with a schedule of your own as `learningRate`, nothing falls by itself.
   */
  readonly steps?: number;
}

/**
 * QZO+: relative offsets, one a row; 8 one-sided branches around a remembered baseline, and one unperturbed; steps scaled by the
 * curvature that they see. Epsilon 0.04, learning rate 0.5, falling to 0 over `steps`: a constant one ends wherever the last batches push it.
 *
 * What differs from {@linkcode qzo} and why: an offset a row instead of a block, as a step finds its way among fewer of them sooner;
 * nearly every forward is a direction, so there are almost twice as many at equal forwards, with next to no variance added by the
 * baseline (see {@linkcode centreByRunningMean}); relative offsets do not depend on the size of scales; and the learning rate is a share of
 * the step that the curvature allows (see {@linkcode scaleByCurvature}), so it need not be tuned to a model, a task or a number of
 * queries; no step is longer than what its branches looked at (`largest` times the learning rate, which is epsilon); and a step longer than usual is
 * shortened, as its batch is why (see {@linkcode limitToRms}). What it costs: activations of 9 branches
 * instead of 2, or passes over the weights where memory is short.
 *
 * `gainPower: 0.5` makes directions larger in tensors along which the loss is steep (see {@linkcode gainsOf}), for two forwards a tensor before
 * the first step; in runs of a few hundred forwards it costs more than it brings. A {@linkcode Session} takes gains from its tensors.
 * `form: "absolute"` has an offset a block.
 *
 * Source: this library's measurements (`bench/results/`); the parts' sources stand with the parts.
 *
 * @example 9 forwards, 8 directions
 * ```ts
 * import { qzoPlus } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { directions, branches } = qzoPlus({ steps: 200 }).estimator;
 * assertEquals([directions, branches.length], [8, 9]);
 * ```
 */
export function qzoPlus(options: QzoPlusOptions = {}): Optimiser {
  assertOptions("make qzoPlus", options, {
    ...namedRules,
    gainPower: "any",
    largest: "any",
    steps: "any",
  });
  const { epsilon = 0.04, queries = 8, form = "relative" } = options;
  const { gainPower: power = 0, largest, steps, learningRate: rate = 0.5 } = options;
  const learningRate = steps === undefined || typeof rate !== "number"
    ? rate
    : linear(rate, { total: steps });
  const rules = [centreByRunningMean({ queries }), scaleByCurvature({ epsilon, queries, largest })];
  return optimiser({
    ...options,
    name: "qzoPlus",
    estimator: oneSided({ epsilon, queries }),
    transformations: [...rules, limitToRms(), scaleBySchedule(learningRate)],
    ...power === 0 ? {} : { gains: { power } },
    form,
    span: form === "relative" ? "row" : "block",
    projection: options.projection ?? "keep-sign",
  });
}
