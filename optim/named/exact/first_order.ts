/**
 * First-order optimisers: the rules of their zeroth-order namesakes, on the exact gradient.
 *
 * @module
 */
import type { Completed, OptionsOf } from "../../declared_option.ts";
import { exactGradient } from "../../estimators/exact_gradient.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../../named_optimiser.ts";
import { clipDerivative } from "../../transformations/clip_derivative.ts";
import { scaleBySchedule } from "../../transformations/scale_by_schedule.ts";
import type { Transformation } from "../../transformations/transformation.ts";
import { adam, adamw } from "../../updates/adam.ts";
import { MomentumOptions, ZoAdamOptions } from "../moments.ts";

/** Options of {@linkcode foSgd} besides {@linkcode NamedOptions}. */
export const FirstOrderOptions = {
  clipNorm: {
    doc: "greatest norm of a gradient; a longer gradient is scaled down to it",
    min: 1e-30,
    max: 1e30,
    shown: "gradients are not clipped",
  },
} as const;
/** Arguments of {@linkcode foSgd}. */
export type FirstOrderOptions = NamedOptions & OptionsOf<typeof FirstOrderOptions>;

/** Options of {@linkcode foAdam} besides {@linkcode NamedOptions}. */
export const FoAdamOptions:
  & typeof FirstOrderOptions
  & Pick<typeof MomentumOptions, "momentum">
  & Pick<typeof ZoAdamOptions, "secondMomentum"> = {
    ...FirstOrderOptions,
    momentum: MomentumOptions.momentum,
    secondMomentum: ZoAdamOptions.secondMomentum,
  };
/** Arguments of {@linkcode foAdam}. */
export type FoAdamOptions = NamedOptions & OptionsOf<typeof FoAdamOptions>;

/** Options of {@linkcode foAdamW} besides {@linkcode NamedOptions}. */
export const FoAdamWOptions: typeof FoAdamOptions & Pick<typeof ZoAdamOptions, "weightDecay"> = {
  ...FoAdamOptions,
  weightDecay: ZoAdamOptions.weightDecay,
};
/** Arguments of {@linkcode foAdamW}. */
export type FoAdamWOptions = NamedOptions & OptionsOf<typeof FoAdamWOptions>;

/** The gradient is the only direction. */
const limits = { queries: { max: 1 } };

/** The value of the estimator is the gradient's norm. */
function clipped(norm: number | undefined): Transformation[] {
  return norm === undefined ? [] : [clipDerivative(norm)];
}

/**
 * FO-SGD: descent along the exact gradient. Learning rate 1 for relative offsets. It stores nothing per offset besides the gradient. `epsilon`
 * and `distribution`, which all named optimisers accept, have no effect. See {@linkcode exactGradient} for its limitations.
 *
 * @example It evaluates one point
 * ```ts
 * import { foSgd } from "@qzo/qzo/optim";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const made = foSgd({ learningRate: 0.1 });
 * assert(made.estimator.exact);
 * assertEquals(made.update, undefined);
 * ```
 */
export const foSgd: NamedOptimiser<typeof FirstOrderOptions> = named({
  name: "foSgd",
  summary: "exact gradients: plain descent",
  defaults: { learningRate: 1, form: "relative", projection: "keep-sign" },
  limits,
  adapter: { epsilon: 1e-3, learningRate: 0.1 },
  options: FirstOrderOptions,
  make: ({ learningRate, clipNorm }) => ({
    estimator: exactGradient(),
    transformations: [...clipped(clipNorm), scaleBySchedule(learningRate)],
  }),
});

/**
 * FO-Adam: Adam on the exact gradient. Learning rate 3e-3 for relative offsets; two f32 per offset besides the gradient. `epsilon` and
 * `distribution`, which all named optimisers accept, have no effect. See {@linkcode exactGradient} for its limitations.
 *
 * Source: Kingma and Ba (arXiv 1412.6980); on scales alone as in PEQA (arXiv 2305.14152).
 *
 * @example Its rule is Adam's
 * ```ts
 * import { foAdam } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(foAdam({ learningRate: 1e-3, clipNorm: 1 }).update?.name, "adam");
 * ```
 */
export const foAdam: NamedOptimiser<typeof FoAdamOptions> = named({
  name: "foAdam",
  summary: "exact gradients: Adam",
  source: "arXiv 1412.6980",
  defaults: { learningRate: 3e-3, form: "relative", projection: "keep-sign" },
  limits,
  adapter: { epsilon: 1e-3, learningRate: 1e-3 },
  options: FoAdamOptions,
  make: ({ learningRate, clipNorm, ...moments }) => ({
    estimator: exactGradient(),
    transformations: clipped(clipNorm),
    update: adam({ learningRate, ...decays(moments) }),
  }),
});

/**
 * FO-AdamW: {@linkcode foAdam} with decoupled weight decay of 0.01, towards the base.
 *
 * Source: Loshchilov and Hutter (arXiv 1711.05101); decay towards the base is this library's.
 *
 * @example Its rule is AdamW's
 * ```ts
 * import { foAdamW } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(foAdamW({ weightDecay: 0.1 }).update?.name, "adamw");
 * ```
 */
export const foAdamW: NamedOptimiser<typeof FoAdamWOptions> = named({
  name: "foAdamW",
  summary: "exact gradients: Adam with decoupled weight decay",
  source: "arXiv 1711.05101",
  defaults: { learningRate: 3e-3, form: "relative", projection: "keep-sign", weightDecay: 0.01 },
  limits,
  adapter: { epsilon: 1e-3, learningRate: 1e-3 },
  options: FoAdamWOptions,
  make: ({ learningRate, clipNorm, weightDecay, ...moments }) => ({
    estimator: exactGradient(),
    transformations: clipped(clipNorm),
    update: adamw({ learningRate, weightDecay, ...decays(moments) }),
  }),
});

function decays(
  { momentum, secondMomentum }: Pick<
    Completed<typeof FoAdamOptions>,
    "momentum" | "secondMomentum"
  >,
): { readonly decay: number; readonly secondDecay: number } {
  return { decay: momentum, secondDecay: secondMomentum };
}
