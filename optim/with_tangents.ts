/**
 * Replaces the derivative estimates of an optimiser by exact directional derivatives.
 *
 * @module
 */
import { hostOps } from "./algebra/ops.ts";
import { keptInSteps } from "./directions/keep.ts";
import { forwardGradient } from "./estimators/forward_gradient.ts";
import { type Optimiser, optimiser } from "./optimiser.ts";
import { hostScalarCount, scalarProgram } from "./steps/scalar_program.ts";

/** Estimators whose values are derivatives along directions. */
const ESTIMATES: readonly string[] = ["spsa", "oneSided"];

/**
 * `base` with {@linkcode forwardGradient} in place of its finite differences (`spsa`, `oneSided`); directions, rules and form are unchanged.
 *
 * @throws {RangeError} when its estimator is of another kind, or it has groups, which need an epsilon.
 * @throws {TypeError} when one of its rules needs the losses along the directions, which tangents do not provide.
 *
 * @example Two directions, one evaluation
 * ```ts
 * import { qzoNormalised, withTangents } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const exact = withTangents(qzoNormalised({ queries: 2 }));
 * assertEquals([exact.name, exact.estimator.name], ["qzoNormalised", "forwardGradient"]);
 * ```
 */
export function withTangents(base: Optimiser): Optimiser {
  const { plan, transformation, estimator } = base;
  if (estimator.exact || !ESTIMATES.includes(estimator.name) && !estimator.tangents) {
    throw new RangeError(
      `Cannot take tangents with ${base.name}: its estimator ${estimator.name} does not compute derivatives along directions; those that do are ${
        ESTIMATES.join(", ")
      }`,
    );
  }
  const { name, update, accept, distribution, form, projection, span } = base;
  const made = optimiser({
    ...{ name, update, accept, distribution, form, projection, span },
    estimator: forwardGradient({ queries: estimator.directions }),
    transformations: [transformation],
    ...keptInSteps(plan),
    groups: base.groups,
  });
  // Run the rules once, because they report what they need only then.
  scalarProgram(
    hostOps,
    made,
    made.estimator.branches.map(() => 0),
    made.transformation.init(),
    Array(hostScalarCount(made)).fill(0),
  );
  return made;
}
