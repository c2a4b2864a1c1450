/**
 * Sparse-MeZO: descent along the small values alone.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { type NamedOptions, namedRules } from "./named.ts";
import { type Optimiser, optimiser } from "../optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { spsa } from "../estimators/spsa.ts";

/** Arguments of {@linkcode sparseMezo}. */
export interface SparseMezoOptions extends NamedOptions {
  /** Share of the offsets that are never trained, from 0 to below 1; 0.75 by default. */
  readonly sparsity?: number;
  /** Which end of the magnitudes is trained; `"small"` by default. */
  readonly take?: "small" | "large";
  /** Whether every tensor keeps that share of its own, or all together; `"tensor"` by default. */
  readonly budget?: "tensor" | "global";
  /** Steps until the mask is decided anew, by the values as they have moved; never by default. */
  readonly resample?: number;
}

/**
 * Sparse-MeZO: only offsets whose base is small are perturbed and moved. Two-sided, epsilon 1e-3, learning rate 1e-6.
 *
 * Departures: magnitudes are those of what is trained, the scales (of several under one offset the mean), not of weights; the share is
 * met to the element, by tensor; the mask is that of the base for the whole run, where the paper's follows the weights as they move:
 * `resample` does so every so many steps, at the price of an offset's last bit. Learning rate and share are ours: of the paper only summaries were read.
 *
 * Source: Sparse-MeZO (arXiv 2402.15751).
 *
 * @example The two largest of four stay
 * ```ts
 * import { Session, sparseMezo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const optimiser = sparseMezo({ sparsity: 0.5, distribution: "rademacher" });
 * const session = new Session({ parameters: [3, -1, 0.5, -8], optimiser });
 * session.tell([1, 2]);
 * assertEquals([...session.parameters()].map((x, i) => x !== [3, -1, 0.5, -8][i]), [false, true, true, false]);
 * ```
 */
export function sparseMezo(options: SparseMezoOptions = {}): Optimiser {
  assertOptions("make sparseMezo", options, {
    ...namedRules,
    sparsity: "any",
    take: "any",
    budget: "any",
    resample: "any",
  });
  const { sparsity = 0.75, take, budget, resample: keep, learningRate = 1e-6 } = options;
  return optimiser({
    ...options,
    name: "sparseMezo",
    estimator: spsa(options),
    transformations: [scaleBySchedule(learningRate)],
    magnitude: { density: 1 - sparsity, take, budget, keep },
  });
}
