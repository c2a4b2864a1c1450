/**
 * Sparse-MeZO: descent in the small values alone.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/** Options of {@linkcode sparseMezo} besides {@linkcode NamedOptions}. */
export const SparseMezoOptions = {
  sparsity: {
    doc: "fraction of offsets that are never trained",
    min: 0,
    max: 1,
    below: true,
    default: 0.75,
  },
  take: {
    doc: "which end of the magnitudes is trained",
    of: ["small", "large"],
    default: "small",
  },
  budget: {
    doc: "whether the fraction applies to each tensor separately or to all together",
    of: ["tensor", "global"],
    default: "tensor",
  },
  resample: {
    doc: "steps until the mask is recomputed from the current values",
    whole: true,
    min: 1,
    max: 0xffffffff,
    shown: "never",
  },
} as const;
/** Arguments of {@linkcode sparseMezo}. */
export type SparseMezoOptions = NamedOptions & OptionsOf<typeof SparseMezoOptions>;

/**
 * Sparse-MeZO: only offsets with a small base value are perturbed and moved. Two-sided, epsilon 1e-3, learning rate 1e-6.
 *
 * Differences from the source: magnitudes are those of what is trained, the scales (their mean, if several share an offset), rather than of
 * weights. The fraction is met exactly in each tensor. The mask is that of the base for the whole run, while the paper's follows the weights as
 * they move; `resample` does the same at intervals, at the cost of the last bit of an offset. Learning rate and fraction were chosen by this
 * library, because only summaries of the paper were available.
 *
 * Source: Sparse-MeZO (arXiv 2402.15751).
 *
 * @example The two largest of four values are frozen
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
export const sparseMezo: NamedOptimiser<typeof SparseMezoOptions> = named({
  name: "sparseMezo",
  summary: "trains only the small scales",
  source: "arXiv 2402.15751",
  defaults: { learningRate: 1e-6 },
  options: SparseMezoOptions,
  make: ({ epsilon, queries, learningRate, sparsity, take, budget, resample: keep }) => ({
    estimator: spsa({ epsilon, queries }),
    transformations: [scaleBySchedule(learningRate)],
    magnitude: { density: 1 - sparsity, take, budget, keep },
  }),
});
