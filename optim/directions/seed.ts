/**
 * Seeds: two u32 words. A run has a master seed; every step and direction has its own seed, derived from it.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import { threefry2x32 } from "./threefry.ts";

/** Two u32 words: the low and the high half. */
export type Seed = readonly [low: number, high: number];

/** Seeds of directions set this bit of the second counter word. */
const stepDomain = 0x80000000;

/**
 * The seed of a run.
 *
 * @param value any safe integer of at least 0; a RangeError is thrown otherwise.
 */
export function masterSeed(value: number): Seed {
  integerWithin("a master seed", "the value", value, 0, Number.MAX_SAFE_INTEGER);
  return [value % 2 ** 32, Math.floor(value / 2 ** 32)];
}

/**
 * The seed of one direction of one step: `threefry2x32(master, [step, 0x80000000 | direction])`.
 *
 * @param step a u32, counted from 0.
 * @param direction counted from 0, below 2^31.
 *
 * @example Seeds differ by step and by direction
 * ```ts
 * import { masterSeed, stepSeed } from "@qzo/qzo/optim";
 * import { assertEquals, assertNotEquals } from "@std/assert";
 *
 * const master = masterSeed(7);
 * assertEquals(stepSeed(master, 3, 0), stepSeed(master, 3, 0));
 * assertNotEquals(stepSeed(master, 3, 0), stepSeed(master, 3, 1));
 * ```
 */
export function stepSeed(master: Seed, step: number, direction: number): Seed {
  integerWithin("the seed of a step", "the step", step, 0, 0xffffffff);
  integerWithin("the seed of a step", "the direction", direction, 0, 0x7fffffff);
  return threefry2x32(master, [step, (stepDomain | direction) >>> 0]);
}
