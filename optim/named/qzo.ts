/**
 * QZO, as published.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { clipDerivative } from "../transformations/clip_derivative.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/** Options of {@linkcode qzo} besides {@linkcode NamedOptions}. */
export const QzoOptions = {
  clip: {
    doc: "threshold of the directional derivative, infinite for none",
    min: 1e-30,
    max: 1e30,
    infinite: true,
    default: 100,
  },
} as const;
/** Arguments of {@linkcode qzo}. */
export type QzoOptions = NamedOptions & OptionsOf<typeof QzoOptions>;

/**
 * QZO with the paper's defaults: two-sided, absolute offsets, epsilon 1e-3, learning rate 1e-7, derivative clipped to 100, scales kept from
 * going below zero.
 *
 * Differences from the source: z is a normal distribution with 17 levels, offsets are f32 whatever type the scales are stored in, and scales of
 * formats that allow negative ones stay on their side of zero. The paper's learning rate suits models with billions of weights; small models
 * need 1e-4 and more.
 *
 * Source: arXiv 2505.13430.
 *
 * @example The paper's defaults with relative offsets
 * ```ts
 * import { qzo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(qzo().form, "absolute");
 * assertEquals(qzo({ form: "relative", epsilon: 0.02, learningRate: 0.02 }).form, "relative");
 * ```
 */
export const qzo: NamedOptimiser<typeof QzoOptions> = named({
  name: "qzo",
  summary: "two-sided estimate on absolute scales, with a clipped derivative",
  source: "arXiv 2505.13430",
  defaults: { learningRate: 1e-7, projection: "keep-sign" },
  adapter: { epsilon: 1e-2, learningRate: 1e-4 },
  options: QzoOptions,
  make: ({ epsilon, queries, learningRate, clip }) => ({
    estimator: spsa({ epsilon, queries }),
    transformations: [
      ...clip === Infinity ? [] : [clipDerivative(clip)],
      scaleBySchedule(learningRate),
    ],
  }),
});
