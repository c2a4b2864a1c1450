/**
 * An optimiser as a value: which points it evaluates, what it computes from their losses, and how offsets act on what they tune.
 *
 * @module
 */
import type { AcceptRule } from "./updates/accept.ts";
import { chain } from "./transformations/chain.ts";
import type { Estimator } from "./estimators/estimator.ts";
import {
  describeGroups,
  type Group,
  type GroupOptions,
  groupOptions,
  makeGroups,
} from "./group.ts";
import type { JsonValue } from "./json.ts";
import { peakLearningRate } from "./transformations/peak_learning_rate.ts";
import {
  completeParts,
  describeDirections,
  type DirectionPlan,
  isPlain,
  movesOf,
  type PlanPart,
  type PlanPartOptions,
  planParts,
} from "./directions/direction_plan.ts";
import { keptInPlan } from "./directions/keep.ts";
import { type Distribution, DISTRIBUTIONS, type Law, lawOf } from "./directions/noise.ts";
import { structureIn, structureOf, turnsOf } from "./directions/structures.ts";
import {
  type OffsetForm,
  offsetForms,
  type OffsetSpan,
  offsetSpans,
  type Projection,
  projections,
} from "./offset.ts";
import { assertOptions, type OptionRules } from "./options.ts";
import type { Transformation } from "./transformations/transformation.ts";
import { describeUpdateRule, type UpdateRule } from "./updates/update_rule.ts";

/**
 * An optimiser. A step, whatever executes it:
 *
 * 1. Evaluate the loss on every branch of the estimator. 2. Compute derivatives, then transform them: one value per direction (see {@linkcode
 * scalarProgram}). 3. `coefficient_q = roundCoefficient(-value_q / directions)`; then `w += coefficient_q * z_q` for q = 0, 1, ..., over the
 * step's own directions, those of earlier steps that the transformation remembers, and the offset itself if it decays. With an update rule, the
 * sum is not added; its negative is the gradient by which the rule moves each offset. With an accept rule, the loss is first evaluated at
 * multiples of the step, and one of them is made. 4. Project `w`.
 */
export interface Optimiser {
  /** Name for people. */
  readonly name: string;
  /** Which branches are evaluated, and how derivatives follow from their losses. */
  readonly estimator: Estimator;
  /** All scalar rules, chained. */
  readonly transformation: Transformation;
  /** The distribution of z, for the elements that its structure keeps. */
  readonly distribution: Distribution;
  /** The law of z: its distribution and its structure. */
  readonly law: Law;
  /** How an offset is applied to its base. */
  readonly form: OffsetForm;
  /** Restriction on offsets. */
  readonly projection: Projection;
  /**
   * Number of columns that share an offset, unless a selection says otherwise. Absent: one offset per quantisation block. Parts without blocks
   * have their own spans.
   */
  readonly span?: OffsetSpan;
  /** How directions follow from steps: how long they are held and remembered, their structure, and preparations. */
  readonly plan: DirectionPlan;
  /** Update rule. Absent if offsets move by the coefficients alone. */
  readonly update?: UpdateRule;
  /** Which multiple of a step is made, based on the loss at each. Absent if the step is always made unchanged. */
  readonly accept?: AcceptRule;
  /** Parts of what is trained with their own form, epsilon and learning rate. Absent if all parts have the same. */
  readonly groups?: readonly Group[];
  /** Number of losses per step: one per branch, and one per candidate of the accept rule. */
  readonly evaluations: number;
  /** Number of coefficients per step: directions times the steps remembered, and one more if offsets decay. */
  readonly moves: number;
  /** All of the above as JSON, for a ledger's header. */
  describe(): JsonValue;
}

/**
 * Arguments of {@linkcode optimiser}. At most one structure of directions (`mask`, `blocks`, `lowRank`) can be given, but all preparations
 * (`magnitude`, `gains`).
 */
export interface OptimiserOptions extends PlanPartOptions {
  /** Name for people. */
  readonly name: string;
  /** Which branches are evaluated, and how derivatives follow from their losses. */
  readonly estimator: Estimator;
  /** Scalar rules, in order. Default: none. */
  readonly transformations?: readonly Transformation[];
  /** Update rule. Default: offsets move by the coefficients alone. */
  readonly update?: UpdateRule | undefined;
  /** Which multiple of a step is made. Default: the step is made unchanged. Only for one direction, without blocks and without an update rule. */
  readonly accept?: AcceptRule | undefined;
  /** Distribution of z. Default `"normal"`. */
  readonly distribution?: Distribution;
  /** How an offset is applied to its base. Default `"absolute"`. */
  readonly form?: OffsetForm;
  /** Restriction on offsets. Default `"none"`. */
  readonly projection?: Projection;
  /** Number of columns that share an offset, unless a selection says otherwise. Default `"block"`; `"row"` requires relative offsets. */
  readonly span?: OffsetSpan;
  /**
   * Form, epsilon and learning rate of parts of what is trained, by name: the kinds of a selection, or the group of a {@linkcode SessionTensor}.
   * Cannot be combined with an accept rule, gains, or weight decay from seeds. Default: none.
   */
  readonly groups?: Readonly<Record<string, GroupOptions>> | readonly Group[] | undefined;
}

/** Rejects values that plain JavaScript or a configuration file may pass. */
function oneOf<Choice extends string>(
  what: string,
  value: Choice,
  choices: readonly Choice[],
): Choice {
  if (choices.includes(value)) return value;
  throw new RangeError(
    `Cannot make an optimiser: unknown ${what} ${JSON.stringify(value)}; expected one of ${
      choices.join(", ")
    }`,
  );
}

/** Rules for the parts of plans, which check themselves. */
const partRules = Object.fromEntries(planParts.map((part) => [part, "any"])) as {
  readonly [Part in PlanPart]: "any";
};

/** Rules for the options; each part checks itself. */
const optimiserRules: OptionRules<OptimiserOptions> = {
  ...partRules,
  name: "any",
  estimator: "any",
  transformations: "any",
  update: "any",
  accept: "any",
  distribution: "any",
  form: "any",
  projection: "any",
  span: "any",
  groups: "any",
};

/** Creates the groups of an optimiser from its composition. */
function groupsOf(
  { name, estimator, update, accept, gains, groups = {} }: OptimiserOptions,
  transformation: Transformation,
): readonly Group[] {
  const options = Array.isArray(groups)
    ? groupOptions(groups)
    : groups as Record<string, GroupOptions>;
  if (Object.keys(options).length === 0) return [];
  const refuse = (why: string) => new RangeError(`Cannot give ${name} groups: ${why}`);
  if (accept) throw refuse(`${accept.name} tries steps at a single scale only`);
  if (gains) throw refuse("its gains already say how tensors differ; leave out gains");
  if (estimator.exact && estimator.directions > 1) {
    throw refuse("what moves along noise and what moves along the gradient differ already");
  }
  if (transformation.decays) {
    throw refuse(
      "its weight decay applies to all groups alike; keep the state stored, or leave out weight decay",
    );
  }
  const asked = Array.isArray(groups) ? [] : Object.values(options);
  if (estimator.exact && asked.some((one) => one.epsilon !== undefined)) {
    throw refuse(`${estimator.name} does not perturb anything, so no group has an epsilon`);
  }
  const epsilon = estimator.exact ? 1 : epsilonOf(estimator.parameters);
  if (epsilon === undefined) throw refuse(`estimator ${estimator.name} has no epsilon`);
  const learningRate = peakLearningRate({ transformation, ...(update ? { update } : {}) });
  if (learningRate === undefined) throw refuse("its schedule is not one of this library's");
  const power = estimator.exact ? 0 : transformation.power ?? estimator.power ?? -1;
  return makeGroups(options, { epsilon, learningRate, power, ruled: update !== undefined });
}

/** Epsilon of an estimator, or of the estimator inside it. */
function epsilonOf(parameters: JsonValue | undefined): number | undefined {
  const { epsilon, of } = Object(parameters);
  return typeof epsilon === "number" ? epsilon : of && epsilonOf(of.parameters);
}

/** Rejects settings of directions for steps along the gradient. */
function assertExact(
  { estimator, accept }: OptimiserOptions,
  plan: DirectionPlan,
  moves: number,
): void {
  const alone = estimator.directions === 1;
  // Gradients of several steps are accumulated in memory; noise is not.
  const isKept = isPlain(alone ? { ...plan, hold: 1 } : plan);
  if (isKept && !accept && moves === estimator.directions) return;
  throw new RangeError(
    `Cannot make an optimiser: ${estimator.name} has the gradient of each step as its ${
      alone ? "only" : "last"
    } direction, so nothing ${
      alone ? "" : "holds, accumulates, "
    }remembers, masks or tries directions`,
  );
}

/** Number of forward passes per step. Backward passes are not counted. */
export function forwardsOf(
  { estimator, evaluations }: Pick<Optimiser, "estimator" | "evaluations">,
): number {
  return estimator.exact ? estimator.branches.length - 1 : evaluations;
}

/**
 * Composes an optimiser from its components.
 *
 * @example Sign descent along Rademacher directions
 * ```ts
 * import { optimiser, scaleBySchedule, signDerivative, spsa } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const signDescent = optimiser({
 *   name: "signDescent",
 *   estimator: spsa({ epsilon: 0.01 }),
 *   transformations: [signDerivative(), scaleBySchedule(1e-3)],
 *   distribution: "rademacher",
 * });
 * assertEquals(signDescent.estimator.branches.length, 2);
 * ```
 */
export function optimiser(options: OptimiserOptions): Optimiser {
  assertOptions("make an optimiser", options, optimiserRules);
  const { name, estimator } = options;
  const transformation = chain(...options.transformations ?? []);
  const distribution = oneOf("distribution", options.distribution ?? "normal", DISTRIBUTIONS);
  const form = oneOf("form", options.form ?? "absolute", offsetForms);
  const projection = oneOf("projection", options.projection ?? "none", projections);
  const span = oneOf("span", options.span ?? "block", offsetSpans);
  if (span === "row" && form === "absolute") {
    throw new RangeError(
      "Cannot make an optimiser: one offset per row must be relative, because an absolute offset belongs to a single block",
    );
  }
  const plan: DirectionPlan = {
    hold: transformation.hold ?? 1,
    memory: transformation.memory ?? 1,
    ...(transformation.decays ? { decays: true } : {}),
    ...keptInPlan(completeParts(options), transformation),
  };
  const structure = structureIn(plan);
  if (structure) structureOf(structure).assertFits?.(plan[structure]!, estimator.directions);
  const groups = groupsOf(options, transformation);
  const { update } = options;
  if (update && (plan.memory > 1 || plan.decays)) {
    throw new RangeError(
      `Cannot make an optimiser: ${update.name} keeps its own state, so its transformations must not remember directions or decay offsets`,
    );
  }
  const { accept } = options;
  const moves = movesOf(plan, estimator.directions);
  if (estimator.exact) assertExact(options, plan, moves);
  if (accept && (moves !== 1 || update || turnsOf(plan))) {
    throw new RangeError(
      `Cannot make an optimiser: ${accept.name} tries steps along a single direction, so there must be no blocks and no update rule`,
    );
  }
  if (moves > 1024) {
    throw new RangeError(
      `Cannot make an optimiser: a step may move along 1024 directions, not ${moves}`,
    );
  }
  return {
    name,
    estimator,
    transformation,
    distribution,
    law: lawOf(distribution, plan),
    form,
    projection,
    ...(span === "block" ? {} : { span }),
    plan,
    ...(update ? { update } : {}),
    ...(accept ? { accept } : {}),
    ...(groups.length === 0 ? {} : { groups }),
    evaluations: estimator.branches.length + (accept?.candidates.length ?? 0),
    moves,
    describe: () => ({
      name,
      estimator: { name: estimator.name, parameters: estimator.parameters },
      transformations: transformation.parameters.parts,
      distribution,
      form,
      projection,
      // Absent if plain, so that the bytes of such ledgers do not change.
      ...(isPlain(plan) ? {} : { directions: describeDirections(plan) }),
      ...(update ? { update: describeUpdateRule(update) } : {}),
      ...(accept ? { accept: { name: accept.name, parameters: accept.parameters } } : {}),
      ...(groups.length === 0 ? {} : { groups: describeGroups(groups) }),
    }),
  };
}
