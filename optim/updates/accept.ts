/**
 * Accept rules: a step is tried before it is made, and what is made is the best of what was tried.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import type { JsonValue } from "../json.ts";
import { NonFiniteLossError } from "../non_finite_loss_error.ts";
import { roundCoefficient } from "../offset.ts";
import { hostOps, type Ops } from "../algebra/ops.ts";

/** Which multiples of a step are tried, and which of them is made. */
export interface AcceptRule {
  /** As written into a ledger's header. */
  readonly name: string;
  /** As written into a ledger's header. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** Multiples of the step, in the order of their losses; 0 stays, -1 goes the other way. Powers of two, of either sign, or 0. */
  readonly candidates: readonly number[];
  /** The multiple to make, from one finite loss per candidate. */
  choose<T>(o: Ops<T>, losses: readonly T[]): T;
}

/**
 * Makes the multiple with the lowest loss; of equal ones the first. By default conservative steps: stay, forward, back.
 *
 * The losses are of the batch that the step is made from, at points that are evaluated after it is known: with these the step has
 * a second pass over the weights. For steps along one direction. What is tried is not projected.
 *
 * Source: ZO-SGD-Cons, Kim et al. (2021), as in ZO-Bench (arXiv 2402.11592).
 *
 * @param candidates 2 to 64 multiples: 0, or powers of two between 2^-8 and 2^8, of either sign.
 * @throws RangeError when they are others.
 *
 * @example Back is better than staying
 * ```ts
 * import { acceptBest, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(acceptBest().choose(hostOps, [2, 3, 1]), -1);
 * assertEquals(acceptBest([0, 1, 2]).choose(hostOps, [1, 1, 1]), 0);
 * ```
 */
export function acceptBest(candidates: readonly number[] = [0, 1, -1]): AcceptRule {
  integerWithin("acceptBest", "the number of candidates", candidates.length, 2, 64);
  for (const candidate of candidates) {
    const power = Math.log2(Math.abs(candidate));
    if (candidate === 0 || Number.isInteger(power) && Math.abs(power) <= 8) continue;
    throw new RangeError(
      `Cannot make acceptBest: a candidate is 0 or a power of two from 2^-8 to 2^8 of either sign, not ${candidate}`,
    );
  }
  return {
    name: "acceptBest",
    parameters: { candidates: [...candidates] },
    candidates: [...candidates],
    choose(o, losses) {
      let lowest = losses[0];
      let chosen = o.constant(candidates[0]);
      losses.slice(1).forEach((loss, i) => {
        chosen = o.select(o.less(loss, lowest), o.constant(candidates[i + 1]), chosen);
        lowest = o.min(loss, lowest);
      });
      return chosen;
    },
  };
}

/** What is tried of a step: its coefficient, as often as a candidate says. Exact, or 0 where that would be below 2^-100. */
export function candidateCoefficients(
  { candidates }: Pick<AcceptRule, "candidates">,
  coefficient: number,
): number[] {
  return candidates.map((candidate) => roundCoefficient(coefficient * candidate));
}

/**
 * The host's execution of an accept rule: the coefficient to make, from the one that was tried.
 *
 * @throws NonFiniteLossError when a loss is not a finite f32; TypeError when they are not one per candidate.
 */
export function acceptStep(
  rule: AcceptRule,
  coefficient: number,
  losses: readonly number[],
  step: number,
): number {
  if (losses.length !== rule.candidates.length) {
    throw new TypeError(
      `Cannot make a step: ${losses.length} losses given, but ${rule.name} needs ${rule.candidates.length}`,
    );
  }
  const rounded = losses.map(Math.fround);
  if (!rounded.every(Number.isFinite)) throw new NonFiniteLossError(step, losses);
  return roundCoefficient(coefficient * rule.choose(hostOps, rounded));
}
