/**
 * Running means of magnitudes, for rules that divide by them.
 *
 * @module
 */
import type { Ops } from "../algebra/ops.ts";

/** The contribution of a step to a running mean. */
export interface RunningMeanStep<T> {
  /** Fraction of the mean that a step keeps, from 0 to below 1. */
  readonly decay: number;
  /** Bias correction after the step, a host scalar: `1 / (1 - decay^(step + 1))`, with steps from 0. */
  readonly correction: T;
  /** Value of the step. */
  readonly value: T;
  /** `(1 - decay) value`. */
  readonly share: T;
  /** Whether the step carries information: any value but 0 means yes. */
  readonly says: T;
  /** Whether an earlier step did. */
  readonly said: T;
}

/**
 * The running mean after a step, before bias correction: `decay before + (1 - decay) value`. A step that carries no information does not change the
 * corrected mean, for example one whose losses are all equal, as piecewise constant objectives often have. The first step that does carry
 * information determines the mean alone.
 */
export function runningMean<T>(
  o: Ops<T>,
  before: T,
  { decay, correction, value, share, says, said }: RunningMeanStep<T>,
): T {
  const usual = o.add(o.mul(before, o.constant(decay)), share);
  const [zero, one] = [o.constant(0), o.constant(1)];
  const weight = o.div(one, correction);
  // In the very first step, the usual rule is correct.
  const late = o.select(said, zero, o.less(correction, o.constant(1 / (1 - decay))));
  const next = o.select(late, o.mul(value, weight), usual);
  if (decay === 0) return o.select(says, next, before);
  // The weight one step ago. In the first step there was none; the mean is then 0, so the lower limit has no effect.
  const left = o.mul(o.sub(one, weight), o.constant(1 / decay));
  const weightBefore = o.max(o.sub(one, left), o.constant((1 - decay) / 2));
  return o.select(says, next, o.mul(before, o.div(weight, weightBefore)));
}

/**
 * {@linkcode runningMean} of squares. A value of 0 carries no information.
 */
export function runningSquare<T>(
  o: Ops<T>,
  before: T,
  step: Omit<RunningMeanStep<T>, "says" | "said">,
): T {
  const positive = (x: T) => o.less(o.constant(0), x);
  return runningMean(o, before, { ...step, says: positive(step.value), said: positive(before) });
}
