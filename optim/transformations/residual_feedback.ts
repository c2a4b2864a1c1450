/**
 * Residual feedback: uses the values of the previous step as the baseline.
 *
 * @module
 */
import type { Transformation } from "./transformation.ts";

/**
 * Subtracts from every value the mean of the previous step; the first step gives zeros. After {@linkcode onePoint}, this is the
 * residual-feedback estimate `(L(w_t + epsilon z_t) - L(w_{t-1} + epsilon z_{t-1})) / epsilon`, with one forward pass per step. The difference
 * between the batches of two steps adds to its variance.
 *
 * Source: Zhang, Zhou, Ji, Zavlanos (arXiv 2006.10820), for one direction. MeZO (arXiv 2305.17333, appendix B.5) found it worse with the same
 * number of forward passes. The mean over several directions is this library's.
 *
 * @example The difference from the previous step
 * ```ts
 * import { hostOps, residualFeedback } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = residualFeedback();
 * const first = rule.update(hostOps, [5], rule.init(), rule.inputs(0));
 * assertEquals(first.values, [0]);
 * assertEquals(rule.update(hostOps, [7], first.state, rule.inputs(1)).values, [2]);
 * ```
 */
export function residualFeedback(): Transformation {
  return {
    name: "residualFeedback",
    parameters: {},
    stateSize: 1,
    inputSize: 1,
    init: () => [0],
    inputs: (step) => [step === 0 ? 0 : 1],
    update(o, values, [before], [known]) {
      const sum = values.reduce((total, value) => o.add(total, value));
      const mean = o.mul(sum, o.constant(1 / values.length));
      const difference = values.map((value) => o.sub(value, before));
      const zero = o.constant(0);
      return { values: difference.map((value) => o.select(known, value, zero)), state: [mean] };
    },
  };
}
