/**
 * The optimiser of a configuration: its keys with type, range and meaning.
 *
 * @module
 */
import {
  blockKinds,
  blockOrders,
  type Distribution,
  type ExtraOptions,
  magnitudeBudgets,
  magnitudeEnds,
  momentStates,
  namedOptimisers,
  type OffsetForm,
  type OptimiserName,
  optimiserNames,
  type Projection,
} from "../../optim/mod.ts";
import { choice, custom, type Field, number, section, snakeCase } from "./field.ts";

/** The learning rate over the steps. */
export interface ScheduleConfig {
  /** Its shape. */
  readonly kind: "constant" | "linear" | "cosine";
  /** Steps of linear warm-up. */
  readonly warmup: number;
  /** Value at the last step. */
  readonly end: number;
}

/** A named optimiser and its arguments; undefined ones are the optimiser's own defaults. */
export interface OptimiserConfig extends ExtraOptions {
  /** Which one. */
  readonly name: OptimiserName;
  /** How far to look, in units of the offset. */
  readonly epsilon?: number;
  /** Peak learning rate. */
  readonly learningRate?: number;
  /** The learning rate over the steps. */
  readonly schedule: ScheduleConfig;
  /** Directions of a step. */
  readonly queries?: number;
  /** Law of the directions. */
  readonly distribution?: Distribution;
  /** How an offset changes its base. */
  readonly form?: OffsetForm;
  /** What offsets may not do. */
  readonly projection?: Projection;
  /** Steps with a mean loss so many standard deviations above the running mean move nothing. */
  readonly rejectSpikes?: number;
  /** The derivative is clipped at its own running quantile. */
  readonly clipQuantile?: number;
  /** Batches along the same directions before they are moved along. */
  readonly accumulate?: number;
  /** Directions, each with a batch of its own, before all are moved along. */
  readonly batchPerDirection?: number;
}

const count = { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true };

/** As read: what a schedule is that nobody asked for depends on the optimiser. */
interface ReadOptimiser extends Omit<OptimiserConfig, "schedule"> {
  readonly schedule: Omit<ScheduleConfig, "kind"> & { readonly kind?: ScheduleConfig["kind"] };
}

const falling = optimiserNames.filter((name) => namedOptimisers[name].schedule === "linear");

const fields = section<ReadOptimiser>("How to learn", {
  name: choice("the optimiser", optimiserNames, "qzoNormalised"),
  epsilon: number("how far to look along a direction", { min: 1e-30, max: 1 }),
  learningRate: number("peak learning rate; the optimiser's own if not given", {
    min: 0,
    above: true,
    max: 1000,
  }),
  schedule: section<ReadOptimiser["schedule"]>("The learning rate over the steps", {
    kind: {
      ...choice(
        `its shape; linear means to \`end\` by the last step, which ${
          falling.join(", ")
        } does if nothing is given`,
        ["constant", "linear", "cosine"],
      ),
      shownDefault: `constant, of ${falling.join(", ")} linear`,
    },
    warmup: number("steps of linear warm-up", { ...count, min: 0 }, 0),
    end: number("learning rate at the last step", { min: 0, max: 1000 }, 0),
  }),
  clip: number(
    "threshold of the directional derivative (qzo) or of the normalised one (qzoNormalised), .inf for none",
    {
      min: 0,
      above: true,
      max: Infinity,
    },
  ),
  decay: number("kept share of the running second moment (qzoNormalised, meazo)", {
    min: 0,
    max: 1,
  }),
  momentum: number("kept share of the momentum (zoSgdMomentum, zoAdam, zoAdamW)", {
    min: 0,
    max: 1,
  }),
  state: choice(
    "where zoSgdMomentum, zoAdam and zoAdamW have their past: in values per offset, or in the last steps' seeds",
    momentStates,
  ),
  length: number("steps that a momentum from seeds reaches back", {
    ...count,
    min: 2,
    max: 1024,
  }),
  sparsity: number("share of the elements that are left alone (sparseZo, sparseMezo)", {
    min: 0,
    max: 1,
  }),
  weightDecay: number("share of an offset lost a step, times the learning rate (zoAdam, zoAdamW)", {
    min: 0,
    max: 1,
  }),
  resample: number(
    "steps until other elements (sparseZo, sparseMezo) or another kept factor (lozo) are drawn",
    count,
  ),
  rank: number("columns of the factors of a direction (lozo)", { ...count, max: 8 }),
  smoothness: number("order that the kernel of the radius is for: 2, 4 or 6 (kerzoo)", {
    min: 2,
    max: 6,
    whole: true,
  }),
  top: number("candidates whose mean is the near end of the direction (mezoGv)", {
    ...count,
    max: 63,
  }),
  asReleased: custom(
    "do as the released code does where that differs from the paper (sparseZo, zoSgdSign)",
    "true or false",
    (value) => typeof value === "boolean" ? value : undefined,
  ),
  gainPower: number(
    "power of a tensor's slope that its directions grow with, 0 for all alike (qzoPlus)",
    {
      min: 0,
      max: 1,
    },
  ),
  largest: number(
    "most that a step moves an offset, before the learning rate (qzoPlus); twice epsilon if not given",
    { min: 0, above: true, max: 1000 },
  ),
  take: choice(
    "which end of the magnitudes is trained (sparseMezo); small if not given",
    magnitudeEnds,
  ),
  budget: choice(
    "what a share is of (sparseZo, sparseMezo); each tensor if not given",
    magnitudeBudgets,
  ),
  blocks: choice("what a block is (blockwiseZo); part if not given", blockKinds),
  blockCount: number("how many blocks: layers or tensors trained (blockwiseZo)", {
    ...count,
    max: 16383,
  }),
  blockOrder: choice("which block has its turn (blockwiseZo); cycle if not given", blockOrders),
  queries: number("directions of a step; the optimiser's own if not given", {
    ...count,
    max: 64,
  }),
  distribution: choice("law of the directions; the optimiser's own if not given", [
    "normal",
    "rademacher",
  ]),
  form: choice("base + offset, or base * (1 + offset)", ["absolute", "relative"]),
  projection: choice("what offsets may not do", ["none", "keep-sign"]),
  rejectSpikes: number(
    "a step whose loss is so many standard deviations above the running mean moves nothing",
    { min: 0, above: true, max: 1000 },
  ),
  clipQuantile: number("share of its own sizes that the derivative is clipped at", {
    min: 0.01,
    max: 0.9999,
  }),
  accumulate: number("steps, each with its batch, along the same directions before a move", {
    ...count,
    max: 65536,
  }),
  batchPerDirection: number("steps, each with its batch and its directions, before a move", {
    ...count,
    max: 512,
  }),
});

/** The section `optimiser`; its schedule is the optimiser's own where none is given. */
export const optimiserSection: Field<OptimiserConfig> = {
  ...fields,
  read(value, place) {
    const { schedule, ...read } = fields.read(value, place);
    const { kind = namedOptimisers[read.name].schedule ?? "constant" } = schedule;
    return { ...read, schedule: { ...schedule, kind } };
  },
};

/** Keys that lie around any optimiser and mean the same with each. */
const AROUND: ReadonlySet<string> = new Set([
  "reject_spikes",
  "clip_quantile",
  "accumulate",
  "batch_per_direction",
]);

/** Keys of the section whose values are chosen for one optimiser and mean something else to another, as the file spells them. */
export const parameterKeys: ReadonlySet<string> = new Set(
  Object.keys(fields.fields ?? {}).map(snakeCase)
    .filter((key) => key !== "name" && !AROUND.has(key)),
);
