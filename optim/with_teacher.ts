/**
 * The same optimiser with directions that a few exact gradients have scaled.
 *
 * @module
 */
import { keptInSteps } from "./directions/keep.ts";
import { type Optimiser, optimiser } from "./optimiser.ts";
import { assertOptions } from "./options.ts";

/** Arguments of {@linkcode withTeacher}. */
export interface TeacherOptions {
  /** Batches whose exact gradient is taken before the first step, 1 to 1024; 1 by default. */
  readonly batches?: number;
  /** The size of z in a tensor is the length of its gradient to this power, 0 to 1; that of `base` where it has gains, else 0.5. */
  readonly power?: number | undefined;
}

/**
 * `base` with the gradient as its teacher: before the first step the exact gradient of a few batches says along which tensors the loss is steep, and
 * noise is larger there, by a power of two for each tensor (see {@linkcode gainsOf}). Nothing moves meanwhile, and no backward pass follows: a step
 * costs what it did, and the ledger, which has the gains, replays as any other. `offsetsFor` takes the gradients; a {@linkcode Session} takes
 * gains from its tensors.
 *
 * Source: this library; guided directions are those of Maheswaranathan et al. (arXiv 1806.10230), whose subspace is here a diagonal by tensors.
 *
 * @throws {RangeError} For an optimiser that takes exact gradients anyway, has groups, or a number out of range
 *
 * @example Of two batches
 * ```ts
 * import { qzoNormalised, withTeacher } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const taught = withTeacher(qzoNormalised(), { batches: 2 });
 * assertEquals([taught.name, taught.plan.gains?.gradients], ["qzoNormalised", 2]);
 * ```
 */
export function withTeacher(base: Optimiser, options: TeacherOptions = {}): Optimiser {
  assertOptions("give a teacher", options, { batches: "any", power: "any" });
  const { batches = 1, power = base.plan.gains?.power } = options;
  const { name, estimator, update, accept, distribution, form, projection, span } = base;
  if (estimator.exact) {
    throw new RangeError(
      `Cannot give ${name} a teacher: its gradients are exact in every step`,
    );
  }
  return optimiser({
    ...{ name, estimator, update, accept, distribution, form, projection, span },
    transformations: [base.transformation],
    ...keptInSteps(base.plan),
    gains: { ...base.plan.gains, power, gradients: batches },
    groups: base.groups,
  });
}
