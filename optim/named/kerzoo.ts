/**
 * KerZOO.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { kernelSmoothed } from "../estimators/kernel_smoothed.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/** Options of {@linkcode kerzoo} besides {@linkcode NamedOptions}. */
export const KerzooOptions = {
  smoothness: {
    doc: "order of smoothness the kernel assumes: 2, 4 or 6",
    whole: true,
    min: 2,
    max: 6,
    default: 2,
  },
} as const;
/** Arguments of {@linkcode kerzoo}. */
export type KerzooOptions = NamedOptions & OptionsOf<typeof KerzooOptions>;

/**
 * KerZOO: two-sided at a random radius, weighted by its kernel; see {@linkcode kernelSmoothed}. Epsilon 1e-3, learning rate 1e-6.
 *
 * Differences from the source: the paper's constant factor is part of the learning rate, and each direction has one radius. Only summaries of
 * the paper were available.
 *
 * Source: KerZOO (arXiv 2505.18886).
 *
 * @example The radius depends on the seed and is the same on both sides
 * ```ts
 * import { kerzoo, Session } from "@qzo/qzo/optim";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const optimiser = kerzoo({ epsilon: 1, distribution: "rademacher" });
 * const [[plus], [minus]] = new Session({ parameters: [0], optimiser }).ask();
 * assertEquals(plus, -minus);
 * assert(Math.abs(plus) < 1);
 * ```
 */
export const kerzoo: NamedOptimiser<typeof KerzooOptions> = named({
  name: "kerzoo",
  summary: "random radii, weighted by a kernel",
  source: "arXiv 2505.18886",
  defaults: { learningRate: 1e-6 },
  options: KerzooOptions,
  make: ({ epsilon, queries, learningRate, smoothness }) => ({
    estimator: kernelSmoothed(spsa({ epsilon, queries }), smoothness),
    transformations: [scaleBySchedule(learningRate)],
  }),
});
