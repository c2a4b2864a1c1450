/**
 * Addax.
 *
 * @module
 */
import type { OptionsOf } from "../../declared_option.ts";
import { mixedGradient } from "../../estimators/mixed_gradient.ts";
import { spsa } from "../../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../../named_optimiser.ts";
import { apart } from "../../transformations/apart.ts";
import { clipDerivative } from "../../transformations/clip_derivative.ts";
import { scaleBySchedule } from "../../transformations/scale_by_schedule.ts";
import { elementwise, type Transformation } from "../../transformations/transformation.ts";
import { FirstOrderOptions } from "./first_order.ts";

/** Options of {@linkcode addax} besides those of {@linkcode foSgd}. */
export const AddaxOptions = {
  alpha: {
    doc: "weight of the estimate along noise; the weight of the exact gradient is 1 - alpha",
    min: 0,
    max: 1,
    default: 1e-3,
  },
  longerThan: {
    doc:
      "examples with more tokens are used for the estimate along noise, all others for the exact gradient",
    whole: true,
    min: 1,
    max: 2147483648,
    shown: "both batches are drawn from all examples",
  },
  noiseBatchSize: {
    doc: "examples per step for the estimate along noise",
    whole: true,
    min: 1,
    max: 65536,
    shown: "as many as for the exact gradient",
  },
  clip: {
    doc: "threshold for clipping the derivative along noise; infinite disables clipping",
    min: 1e-30,
    max: 1e30,
    infinite: true,
    default: 100,
  },
} as const;
/** Arguments of {@linkcode addax}. */
export type AddaxOptions =
  & NamedOptions
  & OptionsOf<typeof AddaxOptions & typeof FirstOrderOptions>;

/** Multiplies values by a weight. */
function weighed(by: number): Transformation {
  return elementwise("weigh", { by }, (o, value) => o.mul(value, o.constant(by)));
}

/**
 * Addax: descent along `alpha d z + (1 - alpha) g`, with SPSA's derivative d along the noise z on a batch of long examples, and the gradient g
 * on a batch of short ones. Learning rate 1 for relative offsets. Only the activations of the short examples are stored, so the longest example
 * no longer determines the memory of a gradient. Nothing is stored per offset besides the gradient.
 *
 * Differences from the source: relative offsets instead of weights, with corresponding values of epsilon and learning rate; d is clipped, as in
 * {@linkcode qzo}.
 *
 * Source: Li et al. (arXiv 2410.06441, algorithm 1).
 *
 * @example Half of each
 * ```ts
 * import { addax, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { transformation: rule } = addax({ alpha: 0.5, learningRate: 0.25 });
 * assertEquals(rule.update(hostOps, [3, 8], [], rule.inputs(0)).values, [0.375, 1]);
 * ```
 */
export const addax: NamedOptimiser<typeof AddaxOptions & typeof FirstOrderOptions> = named({
  name: "addax",
  summary: "long examples along noise, short ones by exact gradients, mixed in every step",
  source: "arXiv 2410.06441",
  defaults: { epsilon: 0.02, learningRate: 1, form: "relative", projection: "keep-sign" },
  adapter: { epsilon: 0.01, learningRate: 0.1 },
  options: { ...AddaxOptions, ...FirstOrderOptions },
  make: (
    { epsilon, queries, learningRate, alpha, longerThan, noiseBatchSize, clip, clipNorm },
  ) => ({
    estimator: mixedGradient({ of: spsa({ epsilon, queries }), longerThan, noiseBatchSize }),
    transformations: [
      apart({
        noise: [...clip === Infinity ? [] : [clipDerivative(clip)], weighed(alpha)],
        gradient: [
          ...clipNorm === undefined ? [] : [clipDerivative(clipNorm)],
          weighed(1 - alpha),
        ],
      }),
      scaleBySchedule(learningRate),
    ],
  }),
});
