/**
 * Schedules: a learning rate per step, computed on the host.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import { assertNumber, assertOptions, count, countOrNone, rate } from "../options.ts";

/** A number for every step. */
export interface Schedule {
  /** As written into a ledger's header. */
  readonly name: string;
  /** As written into a ledger's header. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** What it multiplies by its factor; absent where it is no multiple of another. */
  readonly of?: Schedule;
  /** The value at a step, counted from 0. Of a schedule that a rule follows, a step is a move of the rule. */
  at(step: number): number;
}

/** Arguments of {@linkcode constant}. */
export interface ConstantOptions {
  /** Steps of linear warm-up from nearly 0; 0 by default. */
  readonly warmup?: number;
}

/** Arguments of {@linkcode linear} and {@linkcode cosine}. */
export interface DecayOptions {
  /** The step at which the end value is reached. */
  readonly total: number;
  /** Steps of linear warm-up from nearly 0; 0 by default, at most `total`. */
  readonly warmup?: number;
  /** The value from step `total` on; 0 by default. */
  readonly end?: number;
}

/** The warm-up's factor: `(step + 1) / warmup`, so that the first step moves and step `warmup - 1` is at the peak. */
function warmUp(step: number, warmup: number): number {
  return step < warmup ? (step + 1) / warmup : 1;
}

/**
 * Always `value`, after the warm-up.
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
 * Warm-up to `peak`, then a straight line to `end` at step `total`.
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
 * @example Half way down at half time
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
 * A schedule times a factor. Factors of factors are multiplied, so that what is written of it is what it does.
 *
 * @example A tenth of a learning rate
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

/** A learning rate as a schedule; a number is a constant one. Throws a TypeError for what is neither. */
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

/** A schedule as a ledger's header holds it. */
export function describeSchedule({ name, parameters }: Schedule): JsonValue {
  return { schedule: name, ...parameters };
}

/**
 * Reads what {@linkcode describeSchedule} wrote of a schedule of this file.
 *
 * @throws RangeError or TypeError when it is not that.
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
