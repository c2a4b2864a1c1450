/**
 * The learning rate of an optimiser: the constant one it was made with, and that of any step.
 *
 * @module
 */
import type { JsonValue } from "./json.ts";
import type { Optimiser } from "./optimiser.ts";
import { scaling, schedule } from "./transformations/peak_learning_rate.ts";

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

/**
 * The learning rate at each step of a run, counted from 0, as the optimiser uses it, wherever it is applied. Undefined where there is none, or one by
 * a schedule of the caller's own within rules that do not say what they are made of.
 *
 * @example Half of the peak at half time; two steps a move
 * ```ts
 * import { accumulate, learningRateAt, linear, qzo, withRule } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const optimiser = qzo({ learningRate: linear(8, { total: 4 }) });
 * assertEquals([0, 2].map(learningRateAt(optimiser)!), [8, 4]);
 * const held = withRule(optimiser, (rule) => accumulate(2, rule));
 * assertEquals([0, 1, 4].map(learningRateAt(held)!), [8, 8, 4]);
 * ```
 */
export function learningRateAt(
  { transformation, update, plan }: Pick<Optimiser, "transformation" | "update" | "plan">,
): ((step: number) => number) | undefined {
  const period = transformation.period ?? transformation.hold ?? 1;
  // A rule's own is that of its optimiser, whatever else is scaled.
  const ruled = schedule(update?.parameters.learningRate);
  if (ruled) return (step) => ruled.at(Math.floor(step / plan.hold));
  const found = schedule(scaling(transformation.parameters));
  if (found) return (step) => found.at(Math.floor(step / period));
  const parts = transformation.parts ?? [transformation];
  const place = parts.findIndex(({ name }) => name === "scaleBySchedule");
  if (place >= 0) {
    const before = parts.slice(0, place).reduce((sum, { inputSize }) => sum + inputSize, 0);
    return (step) => transformation.inputs(step)[before];
  }
  return undefined;
}
