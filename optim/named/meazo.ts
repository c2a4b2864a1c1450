/**
 * MEAZO.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { normaliseByRms } from "../transformations/normalise_by_rms.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";

/** Options of {@linkcode meazo} besides {@linkcode NamedOptions}. */
export const MeazoOptions = {
  decay: {
    doc: "decay rate of the running second moment",
    min: 0,
    max: 1,
    below: true,
    default: 0.99,
  },
} as const;
/** Arguments of {@linkcode meazo}. */
export type MeazoOptions = NamedOptions & OptionsOf<typeof MeazoOptions>;

/**
 * MEAZO: divides the derivative by the root of its running second moment, a single scalar in place of Adam's moment per element. Learning rate
 * 1e-4.
 *
 * Differences from the source: the moment has a bias correction, as in Adam. Decay and learning rate were chosen by this library, because only
 * summaries of the paper were available. With several queries, the moment here is the mean of the squared derivatives; in the paper it is the
 * square of their mean. If the derivatives differ by chance, the paper's is about `queries` times smaller, so its steps are `sqrt(queries)`
 * times as long at the same learning rate.
 *
 * Source: MEAZO (arXiv 2605.03869).
 *
 * @example The unit of the loss does not matter
 * ```ts
 * import { meazo, scalarStep } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = meazo();
 * const step = (unit: number) => scalarStep(rule, [3 * unit, unit], [0], rule.transformation.inputs(0));
 * assertEquals(step(1).coefficients, step(1024).coefficients);
 * ```
 */
export const meazo: NamedOptimiser<typeof MeazoOptions> = named({
  name: "meazo",
  summary: "derivative divided by the root of its running second moment",
  source: "arXiv 2605.03869",
  defaults: { learningRate: 1e-4 },
  options: MeazoOptions,
  make: ({ epsilon, queries, learningRate, decay }) => ({
    estimator: spsa({ epsilon, queries }),
    transformations: [normaliseByRms({ decay }), scaleBySchedule(learningRate)],
  }),
});
