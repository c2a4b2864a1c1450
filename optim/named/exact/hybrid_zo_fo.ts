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

/** Options of {@linkcode hybridZoFo} besides those of {@linkcode foAdam}. */
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

/** Number of root mean squares at which the normalised derivative is clipped, as in {@linkcode qzoNormalised}. */
const CLIP = 3;

/**
 * Hybrid ZO-FO by depth: exact gradients in the last two thirds of the blocks, by Adam with learning rate 3e-3 for relative offsets. The first
 * third uses derivatives along noise from the same forward pass, divided by their running root mean square as in {@linkcode qzoNormalised}. Only
 * the activations of the exact blocks are stored.
 *
 * With `below: "tangents"`, the gradient is taken at the current offsets, by one backward pass; with `"differences"`, on both sides, by two (see
 * {@linkcode hybridGradient}). `epsilon` applies to differences only. `exactBlocks` is a trade-off between memory and the result: the more
 * blocks, the closer to {@linkcode foAdam}.
 *
 * Differences from the source: Adam and normalised derivatives instead of plain descent for both, and tangents instead of SPSA by default.
 *
 * Source: hybrid ZO-FO of Zhang et al., "Revisiting zeroth-order optimization for memory-efficient LLM fine-tuning" (arXiv 2402.11592), which
 * describes it but publishes no code for it.
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
