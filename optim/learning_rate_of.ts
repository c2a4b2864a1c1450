/**
 * The learning rate of an optimiser that was made with a constant one.
 *
 * @module
 */
import type { JsonValue } from "./json.ts";
import type { Optimiser } from "./optimiser.ts";

/**
 * The constant learning rate of `optimiser`, wherever it is applied: a named optimiser made without one has its default. Undefined
 * where there is none, or one that changes.
 *
 * @example The default of QZO
 * ```ts
 * import { learningRateOf, qzo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(learningRateOf(qzo()), 1e-7);
 * ```
 */
export function learningRateOf({ transformation, update }: Optimiser): number | undefined {
  const parts = transformation.parts ?? [transformation];
  const scaled = parts.find(({ name }) => name === "scaleBySchedule")?.parameters;
  return valueOf(scaled) ?? valueOf(update?.parameters.learningRate);
}

function valueOf(schedule: JsonValue | undefined): number | undefined {
  if (typeof schedule !== "object" || schedule === null || Array.isArray(schedule)) {
    return undefined;
  }
  const { schedule: kind, value, warmup, factor = 1 } = schedule as {
    readonly [key: string]: JsonValue;
  };
  return kind === "constant" && typeof value === "number" && !warmup
    ? Number(factor) * value
    : undefined;
}
