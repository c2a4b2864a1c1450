/**
 * Composition of transformations.
 *
 * @module
 */
import type { Ops } from "../algebra/ops.ts";
import type { Transformation, Transformed } from "./transformation.ts";

/**
 * Applies transformations one after another, each with its own part of the state and of the host scalars. Nested chains are flattened, so
 * `chain` is associative, and {@linkcode identity} is its neutral element.
 *
 * @throws {RangeError} when more than one part holds or remembers directions, because their steps would differ, or when a part that decays
 * offsets is not the last.
 *
 * @example Clip, then multiply by the learning rate
 * ```ts
 * import { chain, clipDerivative, hostOps, scaleBySchedule } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = chain(clipDerivative(100), scaleBySchedule(0.5));
 * assertEquals(rule.update(hostOps, [250], rule.init(), rule.inputs(0)).values, [50]);
 * ```
 */
export function chain(...transformations: readonly Transformation[]): Transformation {
  const parts = transformations.flatMap((part) => part.parts ?? [part]);
  for (const key of ["memory", "hold"] as const) {
    const several = parts.filter((part) => (part[key] ?? 1) > 1);
    if (several.length > 1) {
      throw new RangeError(
        `Cannot chain ${
          several.map(({ name }) => name).join(" and ")
        }: at most one of them can have a ${key}`,
      );
    }
  }
  if (parts.slice(0, -1).some((part) => part.decays)) {
    throw new RangeError(
      "Cannot chain decayOffsets before others: put it last, because later rules would scale the decay",
    );
  }
  return {
    name: "chain",
    parameters: { parts: parts.map(({ name, parameters }) => ({ name, parameters })) },
    stateSize: parts.reduce((sum, part) => sum + part.stateSize, 0),
    inputSize: parts.reduce((sum, part) => sum + part.inputSize, 0),
    memory: parts.reduce((product, part) => product * (part.memory ?? 1), 1),
    hold: parts.reduce((product, part) => product * (part.hold ?? 1), 1),
    period: parts.reduce((product, part) => product * (part.period ?? part.hold ?? 1), 1),
    ...powerOf(parts),
    decays: parts.some((part) => part.decays),
    parts,
    init: () => parts.flatMap((part) => part.init()),
    inputs: (step) => parts.flatMap((part) => part.inputs(step)),
    update<T>(
      o: Ops<T>,
      values: readonly T[],
      state: readonly T[],
      inputs: readonly T[],
      losses?: readonly T[],
    ): Transformed<T> {
      const next: T[] = [];
      let stateAt = 0;
      let inputAt = 0;
      let acts: T | undefined;
      for (const part of parts) {
        const transformed = part.update(
          o,
          values,
          state.slice(stateAt, stateAt += part.stateSize),
          inputs.slice(inputAt, inputAt += part.inputSize),
          losses,
        );
        values = transformed.values;
        next.push(...transformed.state);
        // At most one part holds directions.
        acts ??= transformed.acts;
      }
      return { values, state: next, ...(acts === undefined ? {} : { acts }) };
    },
  };
}

/** The power of epsilon of the result, from the last part that specifies one. */
function powerOf(parts: readonly Transformation[]): Pick<Transformation, "power"> {
  const power = parts.findLast((part) => part.power !== undefined)?.power;
  return power === undefined ? {} : { power };
}

/**
 * The transformation that changes nothing: a chain without parts.
 *
 * @example Nothing changes
 * ```ts
 * import { hostOps, identity } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(identity().update(hostOps, [2, -3], [], []).values, [2, -3]);
 * ```
 */
export function identity(): Transformation {
  return chain();
}
