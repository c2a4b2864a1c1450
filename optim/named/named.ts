/**
 * Named optimisers: short compositions of the parts.
 *
 * @module
 */
import { assertOptions, type OptionRules } from "../options.ts";
import { clipDerivative } from "../transformations/clip_derivative.ts";
import { normaliseByRms } from "../transformations/normalise_by_rms.ts";
import type { Distribution } from "../directions/noise.ts";
import type { OffsetForm, Projection } from "../offset.ts";
import { type Optimiser, optimiser } from "../optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import type { Schedule } from "../transformations/schedule.ts";
import { spsa } from "../estimators/spsa.ts";

/** Arguments that all named optimisers share; the defaults are each optimiser's own. */
export interface NamedOptions {
  /** How far to look, in units of the offset. */
  readonly epsilon?: number;
  /** Directions of a step; 1 by default. */
  readonly queries?: number;
  /** The learning rate, constant or scheduled. */
  readonly learningRate?: number | Schedule;
  /** The law of z; `"normal"` by default. */
  readonly distribution?: Distribution;
  /** How an offset changes its base. */
  readonly form?: OffsetForm;
  /** What offsets may not do. */
  readonly projection?: Projection;
}

/** Rules of the options that all named optimisers share; their values are looked at by the parts that use them. */
export const namedRules: OptionRules<NamedOptions> = {
  epsilon: "any",
  queries: "any",
  learningRate: "any",
  distribution: "any",
  form: "any",
  projection: "any",
};

/** Arguments of {@linkcode qzo}. */
export interface QzoOptions extends NamedOptions {
  /** Threshold of the directional derivative; 100 by default, `Infinity` for none. */
  readonly clip?: number;
}

/**
 * QZO with the paper's defaults: two-sided, absolute offsets, epsilon 1e-3, learning rate 1e-7, derivative clipped to
 * 100, scales not below zero.
 *
 * Departures: z is a table-quantised normal; offsets are f32 whatever the scales are stored in; and scales of formats
 * that have negative ones stay on their side of zero. The paper's learning rate suits models of billions of weights;
 * small ones need 1e-4 and more.
 *
 * Source: arXiv 2505.13430.
 *
 * @example The paper's, in the relative form
 * ```ts
 * import { qzo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(qzo().form, "absolute");
 * assertEquals(qzo({ form: "relative", epsilon: 0.02, learningRate: 0.02 }).form, "relative");
 * ```
 */
export function qzo(options: QzoOptions = {}): Optimiser {
  assertOptions("make qzo", options, { ...namedRules, clip: "any" });
  const { clip = 100, learningRate = 1e-7, form = "absolute", projection = "keep-sign" } = options;
  return optimiser({
    name: "qzo",
    estimator: spsa(options),
    transformations: [
      ...clip === Infinity ? [] : [clipDerivative(clip)],
      scaleBySchedule(learningRate),
    ],
    distribution: options.distribution,
    form,
    projection,
  });
}

/**
 * MeZO: two-sided, absolute offsets, epsilon 1e-3, learning rate 1e-6, nothing clipped.
 *
 * Departures: z is a table-quantised normal, and the parameters move by an offset instead of in place.
 *
 * Source: arXiv 2305.17333, algorithm 1.
 *
 * @example Two forwards a step, one direction
 * ```ts
 * import { mezo, Session } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const optimiser = mezo({ epsilon: 0.5, learningRate: 0.25, distribution: "rademacher" });
 * const session = new Session({ parameters: [1], optimiser });
 * session.tell(session.ask().map(([x]) => 2 * x));
 * assertAlmostEquals(session.parameters()[0], 0.5);
 * ```
 */
export function mezo(options: NamedOptions = {}): Optimiser {
  assertOptions("make mezo", options, namedRules);
  return optimiser({
    name: "mezo",
    estimator: spsa(options),
    transformations: [scaleBySchedule(options.learningRate ?? 1e-6)],
    distribution: options.distribution,
    form: options.form,
    projection: options.projection,
  });
}

/** Arguments of {@linkcode qzoNormalised}. */
export interface QzoNormalisedOptions extends NamedOptions {
  /** Share of the running second moment that a step keeps; 0.99 by default. */
  readonly decay?: number;
  /** Threshold of the normalised derivative, in root mean squares; 3 by default, `Infinity` for none. */
  readonly clip?: number;
}

/**
 * QZO for models of any size: relative offsets, epsilon 0.02, and the derivative divided by its running root mean
 * square instead of clipped, learning rate 8e-3.
 *
 * Departs from the paper in the form, the scales of epsilon and learning rate, and in normalising (MEAZO, arXiv
 * 2605.03869) where the paper clips: what a learning rate means no longer depends on the size of the derivatives, which
 * differ by orders of magnitude between models and tasks. The normalised value is clipped at 3 root mean squares, so that one
 * spike moves little.
 *
 * @example No learning rate to find
 * ```ts
 * import { qzoNormalised } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(qzoNormalised().transformation.stateSize, 1);
 * ```
 */
export function qzoNormalised(options: QzoNormalisedOptions = {}): Optimiser {
  assertOptions("make qzoNormalised", options, { ...namedRules, decay: "any", clip: "any" });
  const { epsilon = 0.02, queries, decay, learningRate = 8e-3, form = "relative" } = options;
  const { clip = 3 } = options;
  return optimiser({
    name: "qzoNormalised",
    estimator: spsa({ epsilon, queries }),
    transformations: [
      normaliseByRms({ decay }),
      ...clip === Infinity ? [] : [clipDerivative(clip)],
      scaleBySchedule(learningRate),
    ],
    distribution: options.distribution,
    form,
    projection: options.projection ?? "keep-sign",
  });
}
