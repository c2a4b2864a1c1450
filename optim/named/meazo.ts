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

/** What {@linkcode meazo} takes besides {@linkcode NamedOptions}. */
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
 * MEAZO: the derivative over the root of its running second moment, one scalar for what Adam keeps per element; learning
 * rate 1e-4.
 *
 * Departures: the moment is corrected for its start, as Adam's is. Decay and learning rate are ours: of the paper only
 * summaries were read. Of several queries the moment here is the mean of the squared derivatives; the paper's is the square of their mean,
 * which is about `queries` times smaller where they differ by chance, so its steps are `sqrt(queries)` as long at the same learning rate.
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
