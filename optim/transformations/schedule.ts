/**
 * Schedules: a learning rate per step, computed on the host.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import { assertNumber, assertOptions, count, countOrNone, rate } from "../options.ts";

/** A value for every step. */
export interface Schedule {
  /** Name, as written to a ledger's header. */
  readonly name: string;
  /** Parameters, as written to a ledger's header. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** The schedule that it is a multiple of. Absent if it is not a multiple of another. */
  readonly of?: Schedule;
  /** The value at a step, from 0. If the schedule belongs to a rule that moves once in several steps, it counts moves. */
  at(step: number): number;
}

/** Arguments of {@linkcode constant}. */
export interface ConstantOptions {
  /** Number of steps of linear warm-up from almost 0. Default 0. */
  readonly warmup?: number;
}

/** Arguments of {@linkcode linear} and {@linkcode cosine}. */
export interface DecayOptions {
  /** The step at which the end value is reached. */
  readonly total: number;
  /** Number of steps of linear warm-up from almost 0, at most `total`. Default 0. */
  readonly warmup?: number;
  /** The value from step `total` on. Default 0. */
  readonly end?: number;
}

/** The factor of the warm-up: `(step + 1) / warmup`, so that the first step moves and step `warmup - 1` has the full value. */
function warmUp(step: number, warmup: number): number {
  return step < warmup ? (step + 1) / warmup : 1;
}

/**
 * A constant `value`, after the warm-up.
 *
 * @example A warm-up of four steps
 * ```ts
 * import { constant } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const schedule = constant(8, { warmup: 4 });
 * assertEquals([0, 1, 3, 1000].map((step) => schedule.at(step)), [2, 4, 8, 8]);
 * ```
 */
export function constant(value: number, options: ConstantOptions = {}): Schedule {
  assertOptions("make a constant schedule", options, { warmup: countOrNone });
  const { warmup = 0 } = options;
  assertNumber("make a constant schedule", "the value", value, rate);
  return {
    name: "constant",
    parameters: { value, warmup },
    at: (step) => value * warmUp(step, warmup),
  };
}

function decaying(
  name: string,
  peak: number,
  options: DecayOptions,
  share: (progress: number) => number,
): Schedule {
  const what = `make a ${name} schedule`;
  assertOptions(what, options, {
    total: { ...count, required: true },
    warmup: { min: 0, max: options?.total, whole: true },
    end: rate,
  });
  const { total, warmup = 0, end = 0 } = options;
  assertNumber(what, "the peak", peak, rate);
  return {
    name,
    parameters: { peak, total, warmup, end },
    at(step) {
      if (step < warmup) return peak * warmUp(step, warmup);
      if (step >= total) return end;
      return end + (peak - end) * share((step - warmup) / (total - warmup));
    },
  };
}

/**
 * Warm-up to `peak`, then a linear change to `end` at step `total`.
 *
 * @example Up, down, and level
 * ```ts
 * import { linear } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const schedule = linear(8, { total: 10, warmup: 2, end: 4 });
 * assertEquals([0, 1, 2, 6, 10, 99].map((step) => schedule.at(step)), [4, 8, 8, 6, 4, 4]);
 * ```
 */
export function linear(peak: number, options: DecayOptions): Schedule {
  return decaying("linear", peak, options, (progress) => 1 - progress);
}

/**
 * Warm-up to `peak`, then half a cosine wave to `end` at step `total`.
 *
 * @example Halfway down at half of the run
 * ```ts
 * import { cosine } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const schedule = cosine(8, { total: 10 });
 * assertAlmostEquals(schedule.at(0), 8);
 * assertAlmostEquals(schedule.at(5), 4);
 * assertAlmostEquals(schedule.at(10), 0);
 * ```
 */
export function cosine(peak: number, options: DecayOptions): Schedule {
  return decaying(
    "cosine",
    peak,
    options,
    (progress) => 0.5 + 0.5 * Math.cos(Math.PI * progress),
  );
}

/**
 * A schedule multiplied by a factor. Nested factors are multiplied, so the description gives the effective factor.
 *
 * @example One tenth of a learning rate
 * ```ts
 * import { linear, scaled } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const tenth = scaled(linear(8, { total: 10 }), 0.1);
 * assertAlmostEquals(tenth.at(5), 0.4);
 * assertAlmostEquals(Number(scaled(tenth, 0.5).parameters.factor), 0.05);
 * ```
 */
export function scaled(schedule: Schedule | number, factor: number): Schedule {
  assertNumber("make a scaled schedule", "the factor", factor, rate);
  const given = scheduleOf(schedule);
  const of = given.of ?? given;
  const all = given.of ? factor * Number(given.parameters.factor) : factor;
  return {
    name: of.name,
    parameters: { ...of.parameters, factor: all },
    of,
    at: (step) => all * of.at(step),
  };
}

/**
 * A learning rate as a schedule. A number is a constant schedule.
 *
 * @throws {TypeError} when it is neither a number nor a schedule.
 */
export function scheduleOf(learningRate: number | Schedule): Schedule {
  if (typeof learningRate === "number") return constant(learningRate);
  const { at, parameters } = Object(learningRate);
  if (typeof at === "function" && typeof parameters === "object") return learningRate;
  throw new TypeError(
    `Cannot make a schedule: a learning rate is a number or a schedule, not ${
      JSON.stringify(learningRate)
    }`,
  );
}

/** A schedule in the form stored in a ledger's header. */
export function describeSchedule({ name, parameters }: Schedule): JsonValue {
  return { schedule: name, ...parameters };
}

/**
 * Parses the result of {@linkcode describeSchedule} for a schedule of this module.
 *
 * @throws {RangeError | TypeError} when it has another form.
 */
export function parseSchedule(value: unknown): Schedule {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`Cannot read a schedule: ${JSON.stringify(value)} is not an object`);
  }
  const { schedule, value: level, peak, factor, ...options } = value as Readonly<
    Record<string, unknown>
  >;
  const made = schedule === "constant"
    ? constant(level as number, options)
    : schedule === "linear"
    ? linear(peak as number, options as unknown as DecayOptions)
    : schedule === "cosine"
    ? cosine(peak as number, options as unknown as DecayOptions)
    : undefined;
  if (!made) {
    throw new RangeError(
      `Cannot read a schedule: unknown name ${
        JSON.stringify(schedule)
      }; expected one of constant, linear, cosine`,
    );
  }
  return factor === undefined ? made : scaled(made, factor as number);
}
