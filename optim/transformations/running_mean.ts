/**
 * Running means of sizes: what rules that divide by a size keep of it.
 *
 * @module
 */
import type { Ops } from "../algebra/ops.ts";

/** What a step adds to a running mean. */
export interface RunningMeanStep<T> {
  /** Share that a step keeps, from 0 to below 1. */
  readonly decay: number;
  /** The bias correction after the step, a host scalar: `1 / (1 - decay^(step + 1))`, steps from 0. */
  readonly correction: T;
  /** The step's own. */
  readonly value: T;
  /** `(1 - decay) value`. */
  readonly share: T;
  /** Whether the step says anything; not 0 if so. */
  readonly says: T;
  /** Whether an earlier one did. */
  readonly said: T;
}

/**
 * The running mean after a step, still to be multiplied by the bias correction: `decay before + (1 - decay) value`. A step that says nothing,
 * as one whose losses are all equal says nothing of sizes (an objective in steps has many), leaves the corrected mean as it was; the
 * first that says something is all that is known.
 */
export function runningMean<T>(
  o: Ops<T>,
  before: T,
  { decay, correction, value, share, says, said }: RunningMeanStep<T>,
): T {
  const usual = o.add(o.mul(before, o.constant(decay)), share);
  const [zero, one] = [o.constant(0), o.constant(1)];
  const weight = o.div(one, correction);
  // At the first step of all the usual rule is right.
  const late = o.select(said, zero, o.less(correction, o.constant(1 / (1 - decay))));
  const next = o.select(late, o.mul(value, weight), usual);
  if (decay === 0) return o.select(says, next, before);
  // The weight a step ago. At the first step there was none, and nothing that could grow.
  const left = o.mul(o.sub(one, weight), o.constant(1 / decay));
  const weightBefore = o.max(o.sub(one, left), o.constant((1 - decay) / 2));
  return o.select(says, next, o.mul(before, o.div(weight, weightBefore)));
}

/**
 * {@linkcode runningMean} of squares: a 0 says nothing.
 */
export function runningSquare<T>(
  o: Ops<T>,
  before: T,
  step: Omit<RunningMeanStep<T>, "says" | "said">,
): T {
  const positive = (x: T) => o.less(o.constant(0), x);
  return runningMean(o, before, { ...step, says: positive(step.value), said: positive(before) });
}
