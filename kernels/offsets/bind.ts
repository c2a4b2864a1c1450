/**
 * Binds trained offsets and noise to a kernel. Only this module knows their bindings and parameter words. In the
 * shader, the functions of moved.wgsl return a quad of offsets as a branch sees it.
 *
 * @module
 */

import type { Dispatch } from "../device/graph.ts";
import { packNoise, type Perturbation, perturbationKey } from "./perturbation.ts";

/**
 * What a perturbation (or none) contributes to a dispatch whose shader includes moved.wgsl: a part of its key, bindings
 * 8 and 9, and three parameter words. The shader declares the words `tensor`, `traits` and `width` in this order.
 *
 * @example Nothing is bound if nothing is trained
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
