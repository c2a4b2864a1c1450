/**
 * Accept rules: several multiples of a step are tried, and the best of them is made.
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
  /** Name, as written to a ledger's header. */
  readonly name: string;
  /** Parameters, as written to a ledger's header. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** Multiples of the step, in the order of their losses: 0 stays, -1 goes the opposite way. Each is 0 or a power of two with either sign. */
  readonly candidates: readonly number[];
  /** Returns the multiple to make, given one finite loss per candidate. */
  choose<T>(o: Ops<T>, losses: readonly T[]): T;
}

/**
 * Makes the multiple with the lowest loss; of equal ones, the first. The default candidates are those of conservative steps: stay, forward,
 * back.
 *
 * The losses are those of the step's own batch, at points that are known only after its first evaluations, so the step needs a second pass over
 * the weights. It applies to steps along one direction. Tried points are not projected.
 *
 * Source: ZO-SGD-Cons, Kim et al. (2021), as in ZO-Bench (arXiv 2402.11592).
 *
 * @param candidates 2 to 64 multiples: 0, or powers of two between 2^-8 and 2^8, of either sign.
 * @throws {RangeError} for other candidates.
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

/** The coefficients to try: the step's coefficient times each candidate. They are exact, or 0 if they would be below 2^-100. */
export function candidateCoefficients(
  { candidates }: Pick<AcceptRule, "candidates">,
  coefficient: number,
): number[] {
  return candidates.map((candidate) => roundCoefficient(coefficient * candidate));
}

/**
 * The host's execution of an accept rule: the coefficient to make, given the one that was tried.
 *
 * @throws {NonFiniteLossError} when a loss is not a finite f32.
 * @throws {TypeError} when there is not one loss per candidate.
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
