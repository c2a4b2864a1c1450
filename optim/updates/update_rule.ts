/**
 * Update rules: how an offset changes, given an estimate of its gradient and a state of its own.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import type { Ops } from "../algebra/ops.ts";

/** An element after a step. */
export interface Updated<T> {
  /** The offset. */
  readonly offset: T;
  /** The state of the element, with `stateSize` numbers. */
  readonly state: readonly T[];
}

/**
 * A pure rule applied to each offset separately: state is passed in and returned. Without an update rule, offsets move by the coefficients
 * alone.
 *
 * A rule acts in every step that moves the offset's tensor, even if the gradient is zero because the losses of a step are equal: momentum
 * continues and decays, as in PyTorch. It does not act in the steps of an accumulation before the last (see {@linkcode isHeld}), nor on tensors
 * whose turn it is not. The results have the same bits on every device (see {@linkcode elementOps}), so ledgers replay as they do without a
 * rule.
 */
export interface UpdateRule {
  /** Name, as written to a ledger's header. */
  readonly name: string;
  /** Parameters, as written to a ledger's header, from which the rule can be created again. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** Number of f32 values stored per offset, initially 0. */
  readonly stateSize: 0 | 1 | 2;
  /** Number of host scalars needed in each step. */
  readonly inputSize: number;
  /**
   * Whether the rule does nothing in steps whose coefficients are all 0, as in ledgers from before 2026-12. Default false. It is not part of the
   * rule's description; the ledger's header contains it separately.
   */
  readonly restsAtZero?: boolean;
  /** The host scalars of an update (from 0), such as a scheduled learning rate: `inputSize` numbers. */
  inputs(update: number): readonly number[];
  /** The host scalars with the learning rate multiplied by `rate`, for a group. If absent, the first scalar is multiplied. */
  paced?(inputs: readonly number[], rate: number): readonly number[];
  /** The offset after a step along `gradient`, which is the mean over directions of derivative times z, after the transformations. */
  update<T>(
    o: Ops<T>,
    offset: T,
    gradient: T,
    state: readonly T[],
    inputs: readonly T[],
  ): Updated<T>;
}

/** The host scalars of an update rule in a step of a run, from 0. Empty without a rule. */
export function updateInputs(
  { update, plan }: {
    /** The rule. */
    readonly update?: UpdateRule | undefined;
    /** A rule's updates are counted in moves, one per `hold` steps. */
    readonly plan: { readonly hold: number };
  },
  step: number,
): readonly number[] {
  return update?.inputs(Math.floor(step / plan.hold)) ?? [];
}

/** The host scalars of a rule for a group whose learning rate is `rate` times the optimiser's. */
export function pacedInputs(
  update: Pick<UpdateRule, "paced">,
  inputs: readonly number[],
  rate: number,
): readonly number[] {
  if (rate === 1) return inputs;
  return update.paced?.(inputs, rate) ?? inputs.map((value, i) => i === 0 ? value * rate : value);
}

/** These host scalars for each of several rates, one after another. */
export function ratedInputs(
  update: Pick<UpdateRule, "paced">,
  inputs: readonly number[],
  rates: readonly number[],
): readonly number[] {
  return rates.flatMap((rate) => pacedInputs(update, inputs, rate));
}

/**
 * Whether a step of a run, from 0, only accumulates, so that an update rule does not act.
 *
 * @example Three of four steps only accumulate
 * ```ts
 * import { isHeld } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([0, 1, 2, 3, 4].map((step) => isHeld({ hold: 4 }, step)), [true, true, true, false, true]);
 * ```
 */
export function isHeld({ hold }: { readonly hold: number }, step: number): boolean {
  return step % hold !== hold - 1;
}

/** A rule in the form stored in a ledger's header. */
export function describeUpdateRule({ name, parameters }: UpdateRule): JsonValue {
  return { name, parameters };
}
