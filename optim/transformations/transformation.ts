/**
 * Transformations: how directional derivatives become a step.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import type { Ops } from "../algebra/ops.ts";

/** The result of a transformation: the new values, one per direction, and the new state. */
export interface Transformed<T> {
  /** For each given value, `memory` values (default 1): those of this step, then those of the previous step, and so on. */
  readonly values: readonly T[];
  /** The new state, with `stateSize` numbers. */
  readonly state: readonly T[];
  /** Whether an update rule acts in the step, 1 or 0. Set by rules that hold directions. If absent, it always acts. */
  readonly acts?: T;
}

/** A pure scalar rule: state is passed in and returned. */
export interface Transformation {
  /** Name, as written to a ledger's header. */
  readonly name: string;
  /** Parameters, as written to a ledger's header. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** Number of f32 scalars carried from step to step, and stored in every ledger record. */
  readonly stateSize: number;
  /** Number of host scalars needed in each step. */
  readonly inputSize: number;
  /**
   * Number of steps whose directions a step moves along. The rule returns this many values for each given one, those of the current step first.
   * Default 1.
   */
  readonly memory?: number;
  /** Number of consecutive steps that must evaluate the same directions. Default 1. */
  readonly hold?: number;
  /** Number of steps per move; all but the last of them move nothing. Default `hold`. */
  readonly period?: number;
  /**
   * The power of epsilon that its values are proportional to, whatever is passed in: 0 for a rule that normalises, 1 for one that returns
   * lengths. If absent, it is the power of what is passed in, which is -1 for derivatives.
   */
  readonly power?: number;
  /** Whether it returns one more value, whose direction is the offset itself. Default false. */
  readonly decays?: boolean;
  /** The flattened parts of a composition. Absent for a single rule. */
  readonly parts?: readonly Transformation[];
  /** The state before the first step: `stateSize` numbers. */
  init(): readonly number[];
  /**
   * The host scalars of a step (from 0), such as a scheduled learning rate: `inputSize` numbers. For a rule within another one that moves once
   * in several steps (`period`), a step is a move.
   */
  inputs(step: number): readonly number[];
  /**
   * Transforms one value per direction. `state` and `inputs` have the sizes above. `losses` are those of the step, one per branch, for rules
   * that use them.
   *
   * @throws {TypeError} when a rule that uses losses gets none.
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
 * A rule without state and host scalars, applied to each value separately.
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
