/**
 * Transformations: what happens to the directional derivatives on their way to becoming a step.
 *
 * @module
 */
import type { JsonValue } from "./json.ts";
import type { Ops } from "./ops.ts";

/** A transformation's answer: the new values, one per direction, and the new state. */
export interface Transformed<T> {
  /** One per direction. */
  readonly values: readonly T[];
  /** As many as the transformation's `stateSize`. */
  readonly state: readonly T[];
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
  /** The flattened parts of a composition; absent for a single rule. */
  readonly parts?: readonly Transformation[];
  /** The state before the first step: `stateSize` numbers. */
  init(): readonly number[];
  /** The host scalars of a step (from 0), such as a scheduled learning rate: `inputSize` numbers. */
  inputs(step: number): readonly number[];
  /** Transforms one value per direction; `state` and `inputs` have the sizes above. */
  update<T>(
    o: Ops<T>,
    values: readonly T[],
    state: readonly T[],
    inputs: readonly T[],
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
