/**
 * How trained offsets and noise come into a kernel: the one place that knows their bindings and words. The shader's side is moved.wgsl,
 * whose functions give a quad of offsets as a branch sees it.
 *
 * @module
 */

import type { Dispatch } from "../device/graph.ts";
import { packNoise, type Perturbation, perturbationKey } from "./perturbation.ts";

/**
 * What a dispatch whose shader includes moved.wgsl takes of a perturbation, or of none: a part of its key, bindings 8 and 9, and three
 * words of its parameters, `tensor`, `traits` and `width`, which the shader declares one after the other.
 *
 * @example Nothing is bound where nothing is trained
 * ```ts
 * import { bindPerturbation } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const { key, reads, parameters } = bindPerturbation(undefined);
 * assertEquals([key.FORM, key.NOISE], ["none", false]);
 * assertEquals(reads, { 8: undefined, 9: undefined });
 * assertEquals(parameters, [0, 0, 0]);
 * ```
 */
export function bindPerturbation(
  perturbation: Perturbation | undefined,
): Pick<Dispatch, "key" | "reads" | "parameters"> {
  return {
    key: perturbationKey(perturbation),
    reads: { 8: perturbation?.offsets, 9: perturbation?.noise?.branches },
    parameters: [
      perturbation?.id ?? 0,
      packNoise(perturbation),
      (perturbation?.stride ?? 0) / 4,
    ],
  };
}
