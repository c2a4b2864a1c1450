/**
 * ZO-AdamW.
 *
 * @module
 */
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { adamComposition, MomentumOptions, ZoAdamOptions } from "./moments.ts";

/**
 * {@linkcode zoAdam} with AdamW's decoupled weight decay of 0.01, towards the base.
 *
 * Source: Loshchilov and Hutter (arXiv 1711.05101), on zeroth-order gradients.
 *
 * @example Weight decay is part of the rule
 * ```ts
 * import { zoAdamW } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(zoAdamW().update?.parameters.weightDecay, 0.01);
 * ```
 */
export const zoAdamW: NamedOptimiser<typeof MomentumOptions & typeof ZoAdamOptions> = named({
  name: "zoAdamW",
  summary: "`zoAdam` with decoupled weight decay, towards the base",
  source: "arXiv 1711.05101",
  defaults: { learningRate: 1e-5, weightDecay: 0.01 },
  options: { ...MomentumOptions, ...ZoAdamOptions },
  make: (options, given) => adamComposition("zoAdamW", options, given),
});
