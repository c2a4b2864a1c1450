/**
 * Sparse ZO-SGD.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { releasedDensity } from "../preparations/sparsity.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/** Options of {@linkcode sparseZo} besides {@linkcode NamedOptions}. */
export const SparseZoOptions = {
  sparsity: {
    doc: "fraction of elements a step leaves unchanged",
    min: 0,
    max: 0.99998, // fractions are multiples of 1/65536
    default: 0.9,
  },
  resample: {
    doc: "steps until new elements are drawn",
    whole: true,
    min: 1,
    max: 0xffffffff,
    default: 100,
  },
  unit: {
    doc: "what is left unchanged at random: single elements, or whole tensors",
    of: ["element", "tensor"],
    default: "element",
  },
  budget: {
    doc: "what the fraction applies to; with global, tensors with large values keep more",
    of: ["tensor", "global"],
    default: "tensor",
  },
  asReleased: {
    doc:
      "leave unchanged the fraction that ZO-Bench's released code does: 0.816 if 0.9 is requested",
    flag: true,
    default: false,
  },
} as const;
/** Arguments of {@linkcode sparseZo}. */
export type SparseZoOptions = NamedOptions & OptionsOf<typeof SparseZoOptions>;

/**
 * Sparse ZO-SGD: a random mask over directions, redrawn at intervals. Learning rate 1e-6. The mask follows from seed, tensor and element, so it
 * takes no memory.
 *
 * Differences from the source: the requested sparsity is the fraction of elements left unchanged. ZO-Bench's code compares normal random numbers
 * with it, so the fraction left unchanged is the normal distribution function of the sparsity; `asReleased` does the same. Fractions by
 * magnitude (its "global") are those of the base, and `asReleased` changes their total. For elements selected by magnitude, see {@linkcode
 * sparseMezo}.
 *
 * Source: ZO-Bench (arXiv 2402.11592), sparsity-induced perturbation.
 *
 * @example One tenth of the elements is perturbed
 * ```ts
 * import { Session, sparseZo } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const options = { parameters: new Float32Array(40_000), optimiser: sparseZo({ distribution: "rademacher" }) };
 * const [point] = new Session(options).ask();
 * assertAlmostEquals(point.filter((x) => x !== 0).length / 40_000, 0.1, 0.01);
 * ```
 */
export const sparseZo: NamedOptimiser<typeof SparseZoOptions> = named({
  name: "sparseZo",
  summary: "trains a random subset of elements, redrawn every few steps",
  source: "arXiv 2402.11592",
  defaults: { learningRate: 1e-6 },
  options: SparseZoOptions,
  make: (
    { epsilon, queries, learningRate, sparsity, resample: keep, unit, budget, asReleased },
  ) => ({
    estimator: spsa({ epsilon, queries }),
    transformations: [scaleBySchedule(learningRate)],
    mask: { density: asReleased ? releasedDensity(sparsity) : 1 - sparsity, keep, unit, budget },
  }),
});
