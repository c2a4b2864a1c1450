/**
 * An optimiser as a value: how to look, what to do with what was seen, and how offsets act on what they tune.
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
 * A zeroth-order optimiser. A step, whoever executes it:
 *
 * 1. Evaluate the loss on every branch of the estimator.
 * 2. Derivatives, then transformation: one value per direction (see {@linkcode scalarProgram}).
 * 3. `coefficient_q = roundCoefficient(-value_q / directions)`; then `w += coefficient_q * z_q` for q = 0, 1, ..., over the
 *    step's own directions, those of earlier steps that the transformation remembers, and the offset itself where it decays.
 *    With an update rule the sum of these is not added: its negative is the gradient that the rule moves each offset by.
 *    With an accept rule the loss is evaluated at multiples of the step first, and one of them is made.
 * 4. Projection of `w`.
 */
export interface Optimiser {
  /** What people call it. */
  readonly name: string;
  /** Which branches to evaluate and what to make of their losses. */
  readonly estimator: Estimator;
  /** All scalar rules, chained. */
  readonly transformation: Transformation;
  /** The distribution of z, of the elements that its structure leaves. */
  readonly distribution: Distribution;
  /** The law of z: its distribution and its structure. */
  readonly law: Law;
  /** How an offset changes its base. */
  readonly form: OffsetForm;
  /** What offsets may not do. */
  readonly projection: Projection;
  /** Columns that share an offset, where a selection does not say; absent: a quantisation block's. Parts without blocks have their own. */
  readonly span?: OffsetSpan;
  /** How directions follow from steps: held and remembered as the transformation wants it, with a structure or not; and what is prepared. */
  readonly plan: DirectionPlan;
  /** What becomes of each offset's gradient; absent where offsets move by the coefficients alone. */
  readonly update?: UpdateRule;
  /** Which multiple of a step is made, by losses at each; absent where it is always made as it is. */
  readonly accept?: AcceptRule;
  /** Parts of what is trained with a form, an epsilon and a learning rate of their own; absent where all is alike. */
  readonly groups?: readonly Group[];
  /** Losses of a step: one a branch, and one a candidate of the accept rule. */
  readonly evaluations: number;
  /** Coefficients of a step: directions times the steps remembered, and one more where offsets decay. */
  readonly moves: number;
  /** Everything above as JSON, for a ledger's header. */
  describe(): JsonValue;
}

/**
 * Arguments of {@linkcode optimiser}. Of the structures of directions (`mask`, `blocks`, `lowRank`) there may be one, of what is prepared
 * (`magnitude`, `gains`) all.
 */
export interface OptimiserOptions extends PlanPartOptions {
  /** What people call it. */
  readonly name: string;
  /** Which branches to evaluate and what to make of their losses. */
  readonly estimator: Estimator;
  /** The scalar rules, in order; none by default. */
  readonly transformations?: readonly Transformation[];
  /** What becomes of each offset's gradient; by default offsets move by the coefficients alone. */
  readonly update?: UpdateRule | undefined;
  /** Which multiple of a step is made; by default it is made as it is. For one direction, without blocks and update rule. */
  readonly accept?: AcceptRule | undefined;
  /** The law of z; `"normal"` by default. */
  readonly distribution?: Distribution;
  /** How an offset changes its base; `"absolute"` by default. */
  readonly form?: OffsetForm;
  /** What offsets may not do; `"none"` by default. */
  readonly projection?: Projection;
  /** Columns that share an offset, where a selection does not say; `"block"` by default, `"row"` for relative offsets alone. */
  readonly span?: OffsetSpan;
  /**
   * Form, epsilon and learning rate of parts of what is trained, by their names: the kinds of a selection, or what a {@linkcode SessionTensor} says.
   * Not with an accept rule, gains, or weight decay from seeds. None by default.
   */
  readonly groups?: Readonly<Record<string, GroupOptions>> | readonly Group[] | undefined;
}

/** Refuses what plain JavaScript or a config file may pass. */
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

/** Parts of plans: what completes them looks at them. */
const partRules = Object.fromEntries(planParts.map((part) => [part, "any"])) as {
  readonly [Part in PlanPart]: "any";
};

/** What there is to compose; each part looks at its own. */
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

/** The groups of an optimiser, from what it is composed of. */
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

/** Of an estimator, or of the one that it is laid around. */
function epsilonOf(parameters: JsonValue | undefined): number | undefined {
  const { epsilon, of } = Object(parameters);
  return typeof epsilon === "number" ? epsilon : of && epsilonOf(of.parameters);
}

/** Refuses what is about directions, of a step along its gradient. */
function assertExact(
  { estimator, accept }: OptimiserOptions,
  plan: DirectionPlan,
  moves: number,
): void {
  const alone = estimator.directions === 1;
  // Gradients of several steps add up where they lie; noise does not.
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

/** Forwards of a step; a backward pass is none. */
export function forwardsOf(
  { estimator, evaluations }: Pick<Optimiser, "estimator" | "evaluations">,
): number {
  return estimator.exact ? estimator.branches.length - 1 : evaluations;
}

/**
 * Composes an optimiser from its parts.
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
      // Absent where plain, so that such ledgers stay what they were.
      ...(isPlain(plan) ? {} : { directions: describeDirections(plan) }),
      ...(update ? { update: describeUpdateRule(update) } : {}),
      ...(accept ? { accept: { name: accept.name, parameters: accept.parameters } } : {}),
      ...(groups.length === 0 ? {} : { groups: describeGroups(groups) }),
    }),
  };
}
