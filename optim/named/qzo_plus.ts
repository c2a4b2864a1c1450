/**
 * The recipe that this library's own measurements favour for quantised scales.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { oneSided } from "../estimators/one_sided.ts";
import { longRunShare } from "../long_run_share.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { centreByRunningMean } from "../transformations/centre_by_running_mean.ts";
import { limitToRms } from "../transformations/limit_to_rms.ts";
import { scaleByCurvature } from "../transformations/scale_by_curvature.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { linear } from "../transformations/schedule.ts";

/** Longer runs have a lower rate, see {@linkcode longRunShare}. */
const FULL_RATE_STEPS = 250;

/** Options of {@linkcode qzoPlus} besides {@linkcode NamedOptions}. */
export const QzoPlusOptions = {
  gainPower: {
    doc: "directions are scaled by a tensor's slope to this power; 0 treats all tensors alike",
    min: 0,
    max: 1,
    default: 0,
  },
  largest: {
    doc:
      "largest move of an offset per step, as a root mean square, before the learning rate is applied",
    min: 1e-18,
    max: 1e18,
    shown: "four times epsilon",
    file: { min: 1e-18, max: 1000 },
  },
  steps: {
    doc: "number of steps in the run; a numeric learning rate falls to 0 by the last of them",
    whole: true,
    min: 1,
    shown: "it does not fall",
    file: false,
  },
} as const;
/** Arguments of {@linkcode qzoPlus}. */
export type QzoPlusOptions = NamedOptions & OptionsOf<typeof QzoPlusOptions>;

/**
 * QZO+: relative offsets, one per row; 8 one-sided branches around a running baseline, and one unperturbed branch; steps scaled by the measured
 * curvature. Epsilon 0.04, learning rate 0.5, falling to 0 over `steps`, because with a constant rate the result depends on the last batches. In
 * runs of more than 250 steps the default rate is lower, see {@linkcode longRunShare}.
 *
 * Differences from {@linkcode qzo}, with reasons:
 * - One offset per row instead of per block: with fewer offsets, a step finds its way sooner.
 * - Nearly every forward pass is a direction, so there are almost twice as many with the same number of forward passes, and the baseline adds
 *   very little variance (see {@linkcode centreByRunningMean}).
 * - Relative offsets do not depend on the magnitude of scales.
 * - The learning rate is a fraction of the step that the curvature allows (see {@linkcode scaleByCurvature}), so it need not be tuned to a
 *   model, a task or a number of queries.
 * - No step is longer than twice the distance of its branches (`largest` times the learning rate).
 * - A step that is longer than usual is shortened, because its batch is the cause (see {@linkcode limitToRms}).
 *
 * The cost is the activations of 9 branches instead of 2, or several passes over the weights if memory is short.
 *
 * `gainPower: 0.5` makes directions larger in tensors to which the loss is sensitive (see {@linkcode gainsOf}), for two forward passes per
 * tensor before the first step; in runs of a few hundred forward passes it costs more than it gains. A {@linkcode Session} takes gains from its
 * tensors. `form: "absolute"` has one offset per block.
 *
 * Source: this library's measurements (`bench/results/`). The components name their own sources.
 *
 * @example Nine forward passes, eight directions
 * ```ts
 * import { qzoPlus } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { directions, branches } = qzoPlus({ steps: 200 }).estimator;
 * assertEquals([directions, branches.length], [8, 9]);
 * ```
 */
export const qzoPlus: NamedOptimiser<typeof QzoPlusOptions> = named({
  name: "qzoPlus",
  summary:
    "one offset per row, 8 one-sided branches around a remembered baseline, steps scaled by the curvature estimated from their losses; needs no tuning",
  defaults: {
    epsilon: 0.04,
    queries: 8,
    learningRate: 0.5,
    form: "relative",
    projection: "keep-sign",
  },
  // For adapters too, the learning rate is a fraction of the step that the curvature allows. In a product, the effect of offsets grows with their
  // square, and the curvature grows faster than running means follow: steps of 0.03, larger than LoRA's initial values, undid what the first had
  // gained.
  adapter: { epsilon: 0.03, learningRate: 0.5, product: 0.5 },
  limits: { queries: { min: 2, max: 1023 } },
  schedule: "linear",
  fullRateSteps: FULL_RATE_STEPS,
  options: QzoPlusOptions,
  make: (
    { epsilon, queries, learningRate: rate, form, gainPower: power, largest, steps },
    { learningRate: given },
  ) => {
    const learningRate = steps === undefined || typeof rate !== "number"
      ? rate
      : linear(given === undefined ? longRunShare(FULL_RATE_STEPS, steps) * rate : rate, {
        total: steps,
      });
    const rules = [
      centreByRunningMean({ queries }),
      scaleByCurvature({ epsilon, queries, largest: largest ?? 4 * epsilon }),
    ];
    return {
      estimator: oneSided({ epsilon, queries }),
      transformations: [...rules, limitToRms(), scaleBySchedule(learningRate)],
      ...power === 0 ? {} : { gains: { power } },
      span: form === "relative" ? "row" : "block",
    };
  },
});
