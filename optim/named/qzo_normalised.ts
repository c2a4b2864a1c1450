/**
 * QZO for models of any size.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { clipDerivative } from "../transformations/clip_derivative.ts";
import { normaliseByRms } from "../transformations/normalise_by_rms.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/** Options of {@linkcode qzoNormalised} besides {@linkcode NamedOptions}. */
export const QzoNormalisedOptions = {
  decay: {
    doc: "decay rate of the running second moment",
    min: 0,
    max: 1,
    below: true,
    default: 0.99,
  },
  clip: {
    doc: "threshold of the normalised derivative, in root mean squares, infinite for none",
    min: 1e-30,
    max: 1e30,
    infinite: true,
    default: 3,
  },
} as const;
/** Arguments of {@linkcode qzoNormalised}. */
export type QzoNormalisedOptions = NamedOptions & OptionsOf<typeof QzoNormalisedOptions>;

/**
 * QZO for models of any size: relative offsets, epsilon 0.02, and the derivative divided by its running root mean square instead of being
 * clipped. Learning rate 8e-3.
 *
 * Differences from the paper: the form, the magnitudes of epsilon and learning rate, and normalisation (MEAZO, arXiv 2605.03869) instead of
 * clipping. The meaning of a learning rate therefore no longer depends on the magnitude of the derivatives, which differs by orders of magnitude
 * between models and tasks. The normalised value is clipped at 3 root mean squares, so that a single spike has little effect.
 *
 * @example The defaults
 * ```ts
 * import { qzoNormalised } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(qzoNormalised().transformation.stateSize, 1);
 * ```
 */
export const qzoNormalised: NamedOptimiser<typeof QzoNormalisedOptions> = named({
  name: "qzoNormalised",
  summary: "relative scales, with the derivative divided by its running root mean square",
  defaults: { epsilon: 0.02, learningRate: 8e-3, form: "relative", projection: "keep-sign" },
  adapter: { epsilon: 0.01, learningRate: 1e-2 },
  options: QzoNormalisedOptions,
  make: ({ epsilon, queries, learningRate, decay, clip }) => ({
    estimator: spsa({ epsilon, queries }),
    transformations: [
      normaliseByRms({ decay }),
      ...clip === Infinity ? [] : [clipDerivative(clip)],
      scaleBySchedule(learningRate),
    ],
  }),
});
