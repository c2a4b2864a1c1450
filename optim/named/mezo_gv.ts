/**
 * MeZO-GV.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { contrastOf } from "../estimators/pool.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/** Options of {@linkcode mezoGv} besides {@linkcode NamedOptions}. */
export const MezoGvOptions = {
  top: {
    doc: "number of candidates whose mean is the near end of the direction",
    whole: true,
    min: 1,
    max: 63,
    shown: "a quarter of them",
  },
  bottom: {
    doc: "number of candidates whose mean is the far end of the direction",
    whole: true,
    min: 1,
    max: 63,
    shown: "all others",
  },
} as const;
/** Arguments of {@linkcode mezoGv}. */
export type MezoGvOptions = NamedOptions & OptionsOf<typeof MezoGvOptions>;

/**
 * MeZO-GV: moves along the mean of the best candidates minus the mean of all others (or of the `bottom` worst); see {@linkcode contrastOf}.
 * `queries` is the number of candidates, 8 by default. Epsilon 1e-3, learning rate 1e-6.
 *
 * Differences from the source: those of {@linkcode mezoGreedy}.
 *
 * Source: arXiv 2601.04710.
 *
 * @example Eight forward passes, eight directions
 * ```ts
 * import { mezoGv } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { branches, parameters } = mezoGv().estimator;
 * assertEquals([branches.length, parameters.top, parameters.bottom], [8, 2, 6]);
 * ```
 */
export const mezoGv: NamedOptimiser<typeof MezoGvOptions> = named({
  name: "mezoGv",
  summary: "contrasts the best of a pool of directions with the rest",
  source: "arXiv 2601.04710",
  defaults: { queries: 8, learningRate: 1e-6 },
  limits: {
    queries: { min: 2, max: 64 },
  },
  options: MezoGvOptions,
  make: (options) => {
    const { epsilon, queries: candidates, learningRate } = options;
    const { top = Math.max(1, Math.floor(candidates / 4)), bottom = candidates - top } = options;
    return {
      estimator: contrastOf({ epsilon, candidates, top, bottom }),
      transformations: [scaleBySchedule(learningRate)],
    };
  },
});
