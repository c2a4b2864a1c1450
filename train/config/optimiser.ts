/**
 * Creates the optimiser that a configuration names.
 *
 * @module
 */
import {
  accumulate,
  accumulateGradients,
  batchPerDirection,
  chain,
  clipByQuantile,
  constant,
  cosine,
  learningRateOf,
  linear,
  longRunShare,
  namedOptimisers,
  type Optimiser,
  rejectSpikes,
  type Schedule,
  type Transformation,
  withRule,
  withTangents,
  withTeacher,
} from "../../optim/mod.ts";
import { noiseDirections } from "../../optim/steps/scalar_program.ts";
import { adapterScheme, adapterSchemeNames } from "../../models/adapters/schemes.ts";
import type { AdapterDefaults } from "../../optim/named_optimiser.ts";
import type { GroupOptions } from "../../optim/group.ts";
import type { TrainableKind } from "../selection.ts";
import type { GroupsConfig } from "./group_schema.ts";
import type { TrainablesConfig } from "./schema.ts";
import { type OptimiserConfig, ownKeys } from "./optimiser_schema.ts";

/** The parts of a configuration that determine its optimiser. */
export interface ConfiguredOptimiser {
  /** A named optimiser and its arguments. */
  readonly optimiser: OptimiserConfig;
  /** Number of steps in the run. */
  readonly steps: number;
  /** The kinds that are trained. Tensors of adapters have their own defaults. */
  readonly trainables?: Pick<TrainablesConfig, "kinds">;
  /** Settings for individual kinds. */
  readonly groups?: GroupsConfig;
}

/**
 * The configured optimiser. Arguments that are not given have the optimiser's own defaults, or those for the adapter if only an adapter is trained.
 * In long runs with a decaying schedule, default learning rates are lower. A decaying schedule starts at the learning rate,
 * given or default, and ends with the run. All durations are in steps of the run, even if the optimiser moves once in several steps
 * (`accumulate`, `batch_per_direction`); its schedules, which count moves, are converted.
 *
 * @throws {RangeError} for an argument that the optimiser does not have, a schedule for an optimiser without a learning rate, or a warm-up
 * longer than the run.
 *
 * @example A learning rate that falls to zero over the run
 * ```ts
 * import { optimiserOfConfig, parseTrainConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const yaml = "model: a.gguf\nsteps: 200\noptimiser: {name: qzo, learning_rate: 1e-4, schedule: {kind: linear}}";
 * assertEquals(optimiserOfConfig(parseTrainConfig(yaml, "a.yaml")).name, "qzo");
 * ```
 */
export function optimiserOfConfig(configured: ConfiguredOptimiser): Optimiser {
  const { steps, trainables, groups: given = {} } = configured;
  const { kinds = [] } = trainables ?? {};
  const named = namedOptimisers[configured.optimiser.name];
  const beside = kinds.filter((kind) => adapterSchemeNames.some((known) => known === kind));
  const alone = beside.length > 0 && beside.length === kinds.length;
  const { exact = false } = named().estimator;
  const share = shareOf(configured);
  const usualOf = (kind: TrainableKind) => {
    const { learningRate, ...usual } = adapterDefaults(configured.optimiser.name, kind);
    return { ...usual, learningRate: share * learningRate };
  };
  const config = alone
    ? withAdapterDefaults(configured.optimiser, usualOf(beside[0]))
    : configured.optimiser;
  const groups = groupsOfKinds(kinds, given, alone ? [] : beside, usualOf, exact);
  const { name, epsilon, queries, distribution, form, projection } = config;
  const own: Record<string, unknown> = {};
  for (const key of ownKeys) {
    const value = config[key];
    if (value === undefined) continue;
    if (!Object.hasOwn(named.options, key)) throw foreign(key, value, name);
    own[key] = value;
  }
  // Optimisers that take one direction per step.
  if (queries !== undefined && queries !== 1 && named.shared.queries.max === 1) {
    throw foreign("queries", queries, name);
  }
  const shared = { epsilon, queries, distribution, form, projection, groups };
  const make = (learningRate: Schedule | undefined) => named({ ...shared, ...own, learningRate });
  const usual = make(undefined);
  const period = (config.accumulate ?? 1) * (config.batchPerDirection ?? 1);
  if (period > 1 && period > steps) {
    const key = config.accumulate === period ? "accumulate" : "batch_per_direction";
    throw new RangeError(
      `Cannot use optimiser.${key}: ${period} with steps: ${steps}: a move takes that many steps, so nothing would be trained`,
    );
  }
  const rate = learningRateOf(usual);
  const peak = rate === undefined ? undefined : share * rate;
  const made = make(scheduleOf(config, { steps, period }, peak));
  if (exact) assertExact(config, noiseDirections(made.estimator) > 0);
  const taught = config.teacher === undefined
    ? made
    : withTeacher(made, { batches: config.teacher });
  const looked = config.tangents ? withTangents(taught) : taught;
  if (looked.estimator.tangents && epsilon !== undefined) {
    throw new RangeError(
      `Cannot use optimiser.epsilon: ${epsilon}: the derivatives of ${
        config.tangents ? "optimiser.tangents" : name
      } are exact`,
    );
  }
  return around(looked, config);
}

/**
 * The default epsilon and learning rate of an optimiser for an adapter. The optimiser's own adapter defaults are meant for values as large as
 * LoRA's. For a scheme whose values are `size` times as large, epsilon is `size` times as large, and the learning rate is chosen so that a step is
 * `size` times as long: a derivative itself becomes `size` times smaller, a normalised derivative does not, and a length computed from the curvature
 * is already proportional to epsilon. If the scheme multiplies two trained matrices, as LoRA does, epsilon is also multiplied by the optimiser's `product`.
 */
export function adapterDefaults(
  name: OptimiserConfig["name"],
  kind: TrainableKind,
): AdapterDefaults {
  const { epsilon: usual, learningRate, product = 1 } = namedOptimisers[name].adapter;
  const found = adapterSchemeNames.find((known) => known === kind);
  const { size = 1, isProduct = false } = found === undefined ? {} : adapterScheme(found);
  const epsilon = isProduct ? product * usual : usual;
  if (size === 1) return { epsilon, learningRate };
  const { update, estimator, transformation } = namedOptimisers[name]();
  const power = update ? 0 : transformation.power ?? estimator.power ?? -1;
  return { epsilon: size * epsilon, learningRate: size ** (1 - power) * learningRate };
}

/** Rejects settings that have no effect on exact gradients, or not the intended one. */
function assertExact(config: OptimiserConfig, isMixed: boolean): void {
  const {
    name,
    epsilon,
    distribution,
    tangents,
    batchPerDirection,
    rejectSpikes,
    accumulate,
    teacher,
  } = config;
  const refuse = (key: string, value: unknown, why: string) =>
    new RangeError(`Cannot use optimiser.${key}: ${value}: ${why}`);
  const exact = `the gradients of ${name} are exact`;
  if (teacher !== undefined) throw refuse("teacher", teacher, `${exact} in every step`);
  if (isMixed) {
    if (tangents) throw refuse("tangents", tangents, `${name} says itself how it looks below`);
    for (
      const [key, value = 1] of [["accumulate", accumulate], [
        "batch_per_direction",
        batchPerDirection,
      ]] as const
    ) {
      if (value > 1) throw refuse(key, value, `${name} makes a move of each step`);
    }
    return;
  }
  if (epsilon !== undefined) throw refuse("epsilon", epsilon, exact);
  if (distribution !== undefined) throw refuse("distribution", distribution, exact);
  if (tangents) throw refuse("tangents", tangents, exact);
  if ((batchPerDirection ?? 1) > 1) {
    throw refuse("batch_per_direction", batchPerDirection, `${exact}; use optimiser.accumulate`);
  }
  if (rejectSpikes !== undefined && (accumulate ?? 1) > 1) {
    throw refuse(
      "reject_spikes",
      rejectSpikes,
      `with optimiser.accumulate: ${accumulate} the gradient of a spike is already in the sum; use optimiser.clip_norm`,
    );
  }
}

/** If only an adapter is trained, its defaults are used for the optimiser. */
function withAdapterDefaults(
  config: OptimiserConfig,
  { epsilon, learningRate }: AdapterDefaults,
): OptimiserConfig {
  const named = namedOptimisers[config.name];
  const { tangents, exact } = named().estimator;
  // Exact derivatives have no epsilon.
  const looks = !tangents && !exact && !config.tangents;
  return {
    ...config,
    ...looks ? { epsilon: config.epsilon ?? epsilon } : {},
    learningRate: config.learningRate ?? learningRate,
  };
}

/** The groups of the kinds that are trained. Adapters in `beside` have their own defaults. Undefined if there are no groups. */
function groupsOfKinds(
  kinds: readonly TrainableKind[],
  given: GroupsConfig,
  beside: readonly TrainableKind[],
  usualOf: (kind: TrainableKind) => AdapterDefaults,
  exact: boolean,
): Record<string, GroupOptions> | undefined {
  const groups = kinds.flatMap((kind) => {
    const { layers: _, ...own } = given[kind] ?? {};
    const { epsilon, learningRate } = usualOf(kind);
    const usual = beside.includes(kind) ? { ...exact ? {} : { epsilon }, learningRate } : {};
    const said = Object.entries(own).filter(([, value]) => value !== undefined);
    const group = { ...usual, ...Object.fromEntries(said) };
    return Object.keys(group).length === 0 ? [] : [[kind, group] as const];
  });
  return groups.length === 0 ? undefined : Object.fromEntries(groups);
}

/** Adds the options that any optimiser can have around its rule. */
function around(base: Optimiser, config: ConfiguredOptimiser["optimiser"]): Optimiser {
  const { rejectSpikes: threshold, clipQuantile: quantile } = config;
  const { accumulate: batches = 1, batchPerDirection: apart = 1 } = config;
  if (batches > 1 && apart > 1) {
    throw new RangeError(
      `Cannot use optimiser.batch_per_direction: ${apart}: optimiser.accumulate: ${batches} uses the same directions for several steps`,
    );
  }
  const first = [
    ...threshold === undefined ? [] : [rejectSpikes({ threshold })],
    ...quantile === undefined ? [] : [clipByQuantile({ quantile })],
  ];
  if (first.length === 0 && batches === 1 && apart === 1) return base;
  const { directions, exact } = base.estimator;
  const over = (rule: Transformation): Transformation => {
    if (batches > 1 && exact) return accumulateGradients(batches, rule);
    if (batches > 1) return accumulate(batches, rule, { directions });
    return apart > 1 ? batchPerDirection(apart, rule, { directions }) : rule;
  };
  return withRule(base, (rule) => chain(...first, over(rule)));
}

function foreign(key: string, value: unknown, name: string): RangeError {
  return new RangeError(`Cannot use optimiser.${key}: ${value}: ${name} has no such argument`);
}

/** The factor for default learning rates in long runs. 1 for a constant schedule, or if a learning rate was given. */
function shareOf({ steps, optimiser }: ConfiguredOptimiser): number {
  const { name, learningRate, schedule, accumulate = 1, batchPerDirection = 1 } = optimiser;
  const { fullRateSteps } = namedOptimisers[name];
  if (fullRateSteps === undefined || learningRate !== undefined || schedule.kind === "constant") {
    return 1;
  }
  return longRunShare(
    fullRateSteps,
    Math.max(1, Math.floor(steps / (accumulate * batchPerDirection))),
  );
}

function scheduleOf(
  { learningRate, schedule: { kind, warmup, end } }: ConfiguredOptimiser["optimiser"],
  { steps, period }: { readonly steps: number; readonly period: number },
  usual: number | undefined,
): Schedule | undefined {
  if (kind === "constant" && end !== 0) {
    throw new RangeError(`Cannot use optimiser.schedule.end: ${end}: a constant schedule has none`);
  }
  if (learningRate === undefined && kind === "constant" && warmup === 0) return undefined;
  const peak = learningRate ?? usual;
  if (peak === undefined) {
    throw new RangeError(
      `Cannot use optimiser.schedule: ${kind} with a warm-up of ${warmup} needs optimiser.learning_rate`,
    );
  }
  // Schedules count moves, and the run makes only whole ones.
  const rising = Math.ceil(warmup / period);
  if (kind === "constant") return constant(peak, { warmup: rising });
  if (warmup > steps) {
    throw new RangeError(
      `Cannot use optimiser.schedule.warmup: ${warmup}: the run has ${steps} steps`,
    );
  }
  const total = Math.max(1, Math.floor(steps / period));
  return (kind === "linear" ? linear : cosine)(peak, {
    ...{ total, end },
    warmup: Math.min(rising, total),
  });
}
