/**
 * Scales the directions of an optimiser by a few exact gradients.
 *
 * @module
 */
import { keptInSteps } from "./directions/keep.ts";
import { type Optimiser, optimiser } from "./optimiser.ts";
import { assertOptions } from "./options.ts";

/** Arguments of {@linkcode withTeacher}. */
export interface TeacherOptions {
  /** Number of batches whose exact gradient is taken before the first step, 1 to 1024. Default 1. */
  readonly batches?: number;
  /**
   * The magnitude of z in a tensor is the norm of its gradient to this power, from 0 to 1. Default: that of `base` if it has gains, otherwise
   * 0.5.
   */
  readonly power?: number | undefined;
}

/**
 * `base` with directions scaled by exact gradients. Before the first step, the exact gradient of a few batches shows to which tensors the loss
 * is sensitive, and noise is larger in these, by a power of two per tensor (see {@linkcode gainsOf}). Nothing moves during this measurement, and
 * no backward pass follows. Steps cost as much as before, and the ledger, which contains the gains, replays like any other. `offsetsFor`
 * computes the gradients; a {@linkcode Session} takes gains from its tensors.
 *
 * Source: this library. Guided directions are those of Maheswaranathan et al. (arXiv 1806.10230); their subspace is replaced by one factor per
 * tensor.
 *
 * @throws {RangeError} for an optimiser that already takes exact gradients or has groups, and for a number out of range.
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
