/**
 * The common part of optimisers with momentum: two ways of keeping the past.
 *
 * `state: "stored"` keeps one or two f32 values per offset on the device, as published. `state: "seeds"` keeps none and regenerates the
 * directions of the last `length` steps, at a cost of one hash per offset and step. Both replay from a ledger to the same bits on every device.
 *
 * @module
 */
import type { Completed, OptionsOf } from "../declared_option.ts";
import { spsa } from "../estimators/spsa.ts";
import type { Composition, NamedOptions } from "../named_optimiser.ts";
import { decayOffsets } from "../transformations/decay_offsets.ts";
import { adamFromSeeds } from "../transformations/momentum_from_seeds.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { scaled } from "../transformations/schedule.ts";
import { adam, adamw } from "../updates/adam.ts";

/** Options of optimisers with momentum besides {@linkcode NamedOptions}. */
export const MomentumOptions = {
  momentum: {
    doc: "momentum decay rate",
    min: 0,
    above: true,
    max: 1,
    below: true,
    default: 0.9,
  },
  state: {
    doc: "where past steps are kept: as values per offset, or as the seeds of recent steps",
    of: ["stored", "seeds"],
    default: "stored",
  },
  length: {
    doc: "number of past steps used when momentum is computed from seeds",
    whole: true,
    min: 2,
    max: 1024,
    shown: "32 if state is seeds",
  },
} as const;
/** Arguments of {@linkcode zoSgdMomentum}. */
export type MomentumOptions = NamedOptions & OptionsOf<typeof MomentumOptions>;

/** Options of {@linkcode zoAdam} and {@linkcode zoAdamW} besides {@linkcode MomentumOptions}. */
export const ZoAdamOptions = {
  secondMomentum: {
    doc: "second-moment decay rate",
    min: 0,
    above: true,
    max: 1,
    below: true,
    default: 0.999,
  },
  weightDecay: {
    doc:
      "weight decay: fraction by which an offset shrinks towards the base per step, multiplied by the learning rate",
    min: 0,
    max: 1,
    default: 0,
  },
} as const;
/** Arguments of {@linkcode zoAdam} and {@linkcode zoAdamW}. */
export type ZoAdamOptions = MomentumOptions & OptionsOf<typeof ZoAdamOptions>;

/** Where momentum and Adam keep the past: in values stored per offset, or in the seeds of the last steps. */
export type MomentState = NonNullable<MomentumOptions["state"]>;

/** All values of {@linkcode MomentState}. */
export const momentStates: readonly MomentState[] = MomentumOptions.state.of;

type Past = Completed<typeof MomentumOptions>;

/** Whether the past is kept in seeds. Rejects a `length` that would have no effect. */
export function fromSeeds(
  name: string,
  { state, length }: Pick<Past, "state" | "length">,
): boolean {
  if (state === "stored" && length !== undefined) {
    throw new RangeError(
      `Cannot make ${name}: a length of ${length} needs state "seeds"; stored state has no length`,
    );
  }
  return state === "seeds";
}

/** Adam with the given options, with or without weight decay. */
export function adamComposition(
  name: string,
  options: Completed<typeof NamedOptions> & Past & Completed<typeof ZoAdamOptions>,
  given: Pick<NamedOptions, "distribution">,
): Composition {
  const { epsilon, queries, learningRate, weightDecay, length } = options;
  const { momentum: decay, secondMomentum: secondDecay } = options;
  const estimator = spsa({ epsilon, queries });
  if (!fromSeeds(name, options)) {
    const rule = { learningRate, decay, secondDecay };
    return { estimator, update: weightDecay > 0 ? adamw({ ...rule, weightDecay }) : adam(rule) };
  }
  const directions = queries;
  return {
    estimator,
    // With one Rademacher direction per step, this is exactly Adam.
    distribution: given.distribution ?? "rademacher",
    transformations: [
      adamFromSeeds({ decay, secondDecay, length, directions }),
      scaleBySchedule(learningRate),
      ...weightDecay > 0 ? [decayOffsets(scaled(learningRate, weightDecay), { directions })] : [],
    ],
  };
}
