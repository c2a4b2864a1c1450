/**
 * Normalisation of directional derivatives by their spread within a step.
 *
 * @module
 */
import { assertNumber, assertOptions, squared } from "../options.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode normaliseBySpread}. */
export interface NormaliseBySpreadOptions {
  /** Lower limit of the standard deviation, in units of loss per offset. Default 1e-8. */
  readonly floor?: number;
}

/**
 * Divides the derivatives of a step by their sample standard deviation (over `directions - 1`). For one-sided estimates the result is `(L_i -
 * L_0) / std(L)`, independently of epsilon. It has no state.
 *
 * Source: FZOO (arXiv 2506.09034, algorithm 1).
 *
 * @param directions Directions per step, at least 2, because a single value has no spread.
 *
 * @example The spread of 1, 2 and 3 is 1
 * ```ts
 * import { hostOps, normaliseBySpread } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(normaliseBySpread(3).update(hostOps, [1, 2, 3], [], []).values, [1, 2, 3]);
 * assertEquals(normaliseBySpread(3).update(hostOps, [4, 8, 12], [], []).values, [1, 2, 3]);
 * ```
 */
export function normaliseBySpread(
  directions: number,
  options: NormaliseBySpreadOptions = {},
): Transformation {
  const what = "make normaliseBySpread";
  assertNumber(what, "directions", directions, { min: 2, max: 1024, whole: true });
  assertOptions(what, options, { floor: squared });
  const { floor = 1e-8 } = options;
  return {
    name: "normaliseBySpread",
    parameters: { directions, floor },
    power: 0,
    stateSize: 0,
    inputSize: 0,
    init: () => [],
    inputs: () => [],
    update(o, values) {
      if (values.length !== directions) {
        throw new TypeError(
          `Cannot normalise by the spread of ${directions} values: ${values.length} given`,
        );
      }
      const sum = values.reduce((total, value) => o.add(total, value));
      const mean = o.mul(sum, o.constant(1 / directions));
      const squares = values.map((value) => {
        const difference = o.sub(value, mean);
        return o.mul(difference, difference);
      });
      const squared = squares.reduce((total, square) => o.add(total, square));
      const variance = o.mul(squared, o.constant(1 / (directions - 1)));
      const reciprocal = o.div(
        o.constant(1),
        o.sqrt(o.max(variance, o.constant(floor * floor))),
      );
      return { values: values.map((value) => o.mul(value, reciprocal)), state: [] };
    },
  };
}
