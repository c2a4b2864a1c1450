/**
 * Update rules: how an offset follows from the estimate of its gradient, with state of its own.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import type { Ops } from "../algebra/ops.ts";

/** An element after a step. */
export interface Updated<T> {
  /** The offset. */
  readonly offset: T;
  /** As many as the rule's `stateSize`. */
  readonly state: readonly T[];
}

/**
 * A rule applied to each offset by itself: pure, state goes in and comes out. Without one offsets move by the coefficients
 * alone.
 *
 * A rule acts in every step that moves the offset's tensor, also by a gradient of zeros, where the losses of a step are equal: momentum goes
 * on and decays, as in torch. The steps of an accumulation before the last do not act (see {@linkcode isHeld}), nor do tensors whose turn it is not. What is computed has the same bits on every device (see
 * {@linkcode elementOps}), so ledgers replay as they do without a rule.
 */
export interface UpdateRule {
  /** As written into a ledger's header. */
  readonly name: string;
  /** As written into a ledger's header: all that the rule is made from. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** f32 values kept per offset, 0 at first. */
  readonly stateSize: 0 | 1 | 2;
  /** Host scalars needed at each step. */
  readonly inputSize: number;
  /** Whether it rests in steps whose coefficients are all 0, as in ledgers from before 2026-12; false if absent. No part of its description: a ledger's header says it. */
  readonly restsAtZero?: boolean;
  /** The host scalars of an update (from 0), such as a scheduled learning rate: `inputSize` numbers. */
  inputs(update: number): readonly number[];
  /**
   * The host scalars `inputs` where the learning rate is multiplied by `rate`, as that of a group; the first scalar is multiplied by it if absent.
   */
  paced?(inputs: readonly number[], rate: number): readonly number[];
  /** The offset after a step along `gradient`, the mean over directions of derivative times z as the transformations leave it. */
  update<T>(
    o: Ops<T>,
    offset: T,
    gradient: T,
    state: readonly T[],
    inputs: readonly T[],
  ): Updated<T>;
}

/** The host scalars of an update rule at a step of a run, from 0; none without a rule. */
export function updateInputs(
  { update, plan }: {
    /** The rule. */
    readonly update?: UpdateRule | undefined;
    /** A rule's updates are counted in steps that move: one in `hold`. */
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

/** The same for each of several rates, one after the other. */
export function ratedInputs(
  update: Pick<UpdateRule, "paced">,
  inputs: readonly number[],
  rates: readonly number[],
): readonly number[] {
  return rates.flatMap((rate) => pacedInputs(update, inputs, rate));
}

/**
 * Whether a step of a run, from 0, only accumulates: an update rule does not act in it.
 *
 * @example Three of four
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

/** A rule as a ledger's header holds it. */
export function describeUpdateRule({ name, parameters }: UpdateRule): JsonValue {
  return { name, parameters };
}
