/**
 * The learning rate of an optimiser: its constant rate, or that of any step.
 *
 * @module
 */
import type { JsonValue } from "./json.ts";
import type { Optimiser } from "./optimiser.ts";
import { scaling, schedule } from "./transformations/peak_learning_rate.ts";

/**
 * The constant learning rate of `optimiser`, wherever it is applied. A named optimiser created without one has its default. Undefined if there
 * is none, or if it changes.
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
 * The learning rate in a step of a run, from 0, as the optimiser uses it, wherever it is applied. Undefined if there is none, or if it follows a
 * custom schedule within rules that do not list their parts.
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
  // The learning rate of an update rule is that of the optimiser, even if other values are scaled too.
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
