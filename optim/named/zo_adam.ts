/**
 * ZO-Adam.
 *
 * @module
 */
import { named, type NamedOptimiser } from "../named_optimiser.ts";
import { adamComposition, MomentumOptions, ZoAdamOptions } from "./moments.ts";

/**
 * ZO-Adam: momenta 0.9 and 0.999, learning rate 1e-5; two f32 per offset.
 *
 * Differences from the source: none known in the rule. With `state: "seeds"` (see {@linkcode adamFromSeeds}), directions are Rademacher. With
 * one direction per step, it is then exactly Adam except that the momentum is cut off after `length` steps. Several directions, or normal ones,
 * share a single second moment. Weight decay is applied in portions (see {@linkcode decayOffsets}).
 *
 * Source: ZO-Bench (arXiv 2402.11592), `--trainer zo_adam`; MeZO (arXiv 2305.17333, appendix B.2).
 *
 * @example The first step has the size of the learning rate
 * ```ts
 * import { minimise, zoAdam } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const optimiser = zoAdam({ learningRate: 0.5, distribution: "rademacher" });
 * const objective = ([x, y]: Float32Array) => 9 * x * x + y;
 * for await (const { session } of minimise({ parameters: [3, -2], optimiser, steps: 1, objective })) {
 *   assertAlmostEquals(Math.abs(session.offsets[1]), 0.5, 1e-4);
 * }
 * ```
 */
export const zoAdam: NamedOptimiser<typeof MomentumOptions & typeof ZoAdamOptions> = named({
  name: "zoAdam",
  summary: "Adam applied to the estimate",
  source: "arXiv 2402.11592",
  defaults: { learningRate: 1e-5 },
  adapter: { epsilon: 1e-2, learningRate: 5e-3 },
  options: { ...MomentumOptions, ...ZoAdamOptions },
  make: (options, given) => adamComposition("zoAdam", options, given),
});
