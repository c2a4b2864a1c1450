/**
 * Transformations: what happens to the directional derivatives on their way to becoming a step.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import type { Ops } from "../algebra/ops.ts";

/** A transformation's answer: the new values, one per direction, and the new state. */
export interface Transformed<T> {
  /** `memory` per value given, 1 by default: those of this step, then of the step before, and so on. */
  readonly values: readonly T[];
  /** As many as the transformation's `stateSize`. */
  readonly state: readonly T[];
  /** Whether an update rule acts in the step, 1 or 0: a rule that holds directions says so. Always if absent. */
  readonly acts?: T;
}

/** One scalar rule, pure: state goes in and comes out. */
export interface Transformation {
  /** As written into a ledger's header. */
  readonly name: string;
  /** As written into a ledger's header. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** f32 scalars carried from step to step, and into every ledger record. */
  readonly stateSize: number;
  /** Host scalars needed at each step. */
  readonly inputSize: number;
  /**
   * Steps whose directions a step moves along: it answers with so many values for each one given, this step's first.
   * 1 if absent.
   */
  readonly memory?: number;
  /** Steps in a row that must look along the same directions; 1 if absent. */
  readonly hold?: number;
  /** Steps to a move, of which those before the last move nothing; `hold` if absent. */
  readonly period?: number;
  /**
   * The power of epsilon that its values go with, whatever is given to it: 0 of a rule that normalises, 1 of one that answers with lengths.
   * That of what is given, a derivative's -1, if absent.
   */
  readonly power?: number;
  /** Whether it answers with one value more, of which the offset itself is the direction; false if absent. */
  readonly decays?: boolean;
  /** The flattened parts of a composition; absent for a single rule. */
  readonly parts?: readonly Transformation[];
  /** The state before the first step: `stateSize` numbers. */
  init(): readonly number[];
  /**
   * The host scalars of a step (from 0), such as a scheduled learning rate: `inputSize` numbers. Of a rule within others that move once in a
   * while (`period`) a step is a move.
   */
  inputs(step: number): readonly number[];
  /**
   * Transforms one value per direction; `state` and `inputs` have the sizes above. `losses` are the step's, one per
   * branch, for rules that look at them too; those throw a TypeError without.
   */
  update<T>(
    o: Ops<T>,
    values: readonly T[],
    state: readonly T[],
    inputs: readonly T[],
    losses?: readonly T[],
  ): Transformed<T>;
}

/**
 * A rule without state and host scalars, applied to each value by itself.
 *
 * @example Halve every derivative
 * ```ts
 * import { elementwise, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const halve = elementwise("halve", {}, (o, value) => o.mul(value, o.constant(0.5)));
 * assertEquals(halve.update(hostOps, [3, -1], [], []).values, [1.5, -0.5]);
 * ```
 */
export function elementwise(
  name: string,
  parameters: Readonly<Record<string, JsonValue>>,
  rule: <T>(o: Ops<T>, value: T) => T,
): Transformation {
  return {
    name,
    parameters,
    stateSize: 0,
    inputSize: 0,
    init: () => [],
    inputs: () => [],
    update: (o, values) => ({ values: values.map((value) => rule(o, value)), state: [] }),
  };
}
