/**
 * Rules of their own for noise and for the gradient.
 *
 * @module
 */
import type { Ops } from "../algebra/ops.ts";
import { chain } from "./chain.ts";
import type { Transformation, Transformed } from "./transformation.ts";

/** Arguments of {@linkcode apart}. */
export interface ApartOptions {
  /** The rules of all values but the last, in order. */
  readonly noise: readonly Transformation[];
  /** Those of the last value. */
  readonly gradient: readonly Transformation[];
}

/**
 * The last value, which of {@linkcode hybridGradient} is the gradient's norm, by rules of its own; the others by theirs.
 *
 * @throws {RangeError} For rules that hold or remember directions, or decay offsets: a gradient is of one step
 *
 * @example The gradient clipped, the derivative along noise by its sign
 * ```ts
 * import { apart, clipDerivative, hostOps, signDerivative } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = apart({ noise: [signDerivative()], gradient: [clipDerivative(1)] });
 * assertEquals(rule.update(hostOps, [-3, 8], [], []).values, [-1, 1]);
 * ```
 */
export function apart(options: ApartOptions): Transformation {
  const [noise, gradient] = [chain(...options.noise), chain(...options.gradient)];
  const both = [noise, gradient];
  for (const { parts = [] } of both) {
    const wrong = parts.find(({ hold = 1, memory = 1, period = 1, decays }) =>
      hold > 1 || memory > 1 || period > 1 || decays
    );
    if (wrong) {
      throw new RangeError(
        `Cannot keep rules apart: ${wrong.name} is about the directions of several steps, and a gradient is of one`,
      );
    }
  }
  return {
    name: "apart",
    parameters: { noise: noise.parameters.parts, gradient: gradient.parameters.parts },
    stateSize: noise.stateSize + gradient.stateSize,
    inputSize: noise.inputSize + gradient.inputSize,
    ...(noise.power === undefined ? {} : { power: noise.power }),
    init: () => both.flatMap((rule) => rule.init()),
    inputs: (step) => both.flatMap((rule) => rule.inputs(step)),
    update<T>(
      o: Ops<T>,
      values: readonly T[],
      state: readonly T[],
      inputs: readonly T[],
      losses?: readonly T[],
    ): Transformed<T> {
      const first = noise.update(
        o,
        values.slice(0, -1),
        state.slice(0, noise.stateSize),
        inputs.slice(0, noise.inputSize),
        losses,
      );
      const last = gradient.update(
        o,
        values.slice(-1),
        state.slice(noise.stateSize),
        inputs.slice(noise.inputSize),
        losses,
      );
      return {
        values: [...first.values, ...last.values],
        state: [...first.state, ...last.state],
      };
    },
  };
}
