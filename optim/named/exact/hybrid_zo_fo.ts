/**
 * The hybrid of zeroth and first order, by depth.
 *
 * @module
 */
import type { OptionsOf } from "../../declared_option.ts";
import { forwardGradient } from "../../estimators/forward_gradient.ts";
import { hybridGradient } from "../../estimators/hybrid_gradient.ts";
import { spsa } from "../../estimators/spsa.ts";
import { named, type NamedOptimiser } from "../../named_optimiser.ts";
import { apart } from "../../transformations/apart.ts";
import { clipDerivative } from "../../transformations/clip_derivative.ts";
import { normaliseByRms } from "../../transformations/normalise_by_rms.ts";
import { scaleBySchedule } from "../../transformations/scale_by_schedule.ts";
import { adam } from "../../updates/adam.ts";
import { FoAdamOptions } from "./first_order.ts";

/** What {@linkcode hybridZoFo} takes besides what {@linkcode foAdam} does. */
export const HybridZoFoOptions = {
  exactShare: {
    doc:
      "share of the model's blocks, the last ones, whose gradient is exact; rounded to whole blocks, at least one",
    min: 0,
    above: true,
    max: 1,
    default: 0.667,
  },
  exactBlocks: {
    doc: "number of these blocks, in place of a share",
    min: 1,
    max: 65536,
    whole: true,
    shown: "by `exactShare`",
  },
  below: {
    doc:
      "how the derivative along noise is found in the blocks below: exactly, by tangents, or by differences of losses at two points (SPSA)",
    of: ["tangents", "differences"],
    default: "tangents",
  },
  noiseRate: {
    doc: "learning rate of what moves along noise, as a multiple of `learningRate`",
    min: 0,
    max: 1e30,
    default: 2.5,
  },
} as const;
/** Arguments of {@linkcode hybridZoFo}. */
export type HybridZoFoOptions = FoAdamOptions & OptionsOf<typeof HybridZoFoOptions>;

/** Root mean squares that a normalised derivative is clipped at, as {@linkcode qzoNormalised} does. */
const CLIP = 3;

/**
 * Hybrid ZO-FO by depth: exact gradients in the last two thirds of the blocks, by Adam with learning rate 3e-3 over relative offsets; in the first third
 * derivatives along noise, divided by their running root mean square as in {@linkcode qzoNormalised}, from the same forward. Activations are
 * kept of the exact blocks alone. See {@linkcode hybridGradient} for where the gradient is taken: with `below: "tangents"` at the offsets as they are, by
 * one backward pass; with `"differences"` at both sides, by two. `epsilon` is for differences only. Between them `exactBlocks` and memory are
 * a choice: the more blocks, the closer to {@linkcode foAdam}.
 *
 * Departures: Adam and normalised derivatives in place of plain descent for both, tangents in place of SPSA by default.
 *
 * Source: hybrid ZO-FO of Zhang et al., "Revisiting zeroth-order optimization for memory-efficient LLM fine-tuning" (arXiv 2402.11592), which
 * describes it and publishes no code for it.
 *
 * @example The last of four blocks is exact, by its number
 * ```ts
 * import { hybridZoFo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { estimator, update } = hybridZoFo({ exactBlocks: 1 });
 * assertEquals([estimator.exactBlocks!(4), update?.name], [1, "adam"]);
 * ```
 */
export const hybridZoFo: NamedOptimiser<typeof HybridZoFoOptions & typeof FoAdamOptions> = named({
  name: "hybridZoFo",
  summary: "exact gradients in the last blocks, derivatives along noise in the first",
  source: "arXiv 2402.11592",
  defaults: { epsilon: 0.02, learningRate: 3e-3, form: "relative", projection: "keep-sign" },
  adapter: { epsilon: 0.01, learningRate: 1e-3 },
  options: { ...HybridZoFoOptions, ...FoAdamOptions },
  make: ({ epsilon, queries, learningRate, exactShare, exactBlocks, below, ...rest }) => ({
    estimator: hybridGradient({
      of: below === "tangents" ? forwardGradient({ queries }) : spsa({ epsilon, queries }),
      ...{ exactShare, exactBlocks },
    }),
    transformations: [
      apart({
        noise: [
          normaliseByRms(),
          clipDerivative(CLIP),
          scaleBySchedule(rest.noiseRate),
          scaleBySchedule(learningRate),
        ],
        gradient: rest.clipNorm === undefined ? [] : [clipDerivative(rest.clipNorm)],
      }),
    ],
    update: adam({ learningRate, decay: rest.momentum, secondDecay: rest.secondMomentum }),
  }),
});
