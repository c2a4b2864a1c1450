/**
 * Seeds are two u32 words. A run has a master seed, from which the seed of every step and direction is derived.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import { threefry2x32 } from "./threefry.ts";

/** A seed: two u32 words, the low and the high half. */
export type Seed = readonly [low: number, high: number];

/** The bit of the second counter word that is set for seeds of directions. */
const stepDomain = 0x80000000;

/**
 * The seed of a run.
 *
 * @param value A safe integer of at least 0.
 * @throws {RangeError} for any other value.
 *
 * @example Low and high word
 * ```ts
 * import { masterSeed } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(masterSeed(2 ** 32 + 5), [5, 1]);
 * ```
 */
export function masterSeed(value: number): Seed {
  integerWithin("a master seed", "the value", value, 0, Number.MAX_SAFE_INTEGER);
  return [value % 2 ** 32, Math.floor(value / 2 ** 32)];
}

/**
 * The seed of one direction of one step: `threefry2x32(master, [step, 0x80000000 | direction])`.
 *
 * @param step Index of the step from 0, a u32.
 * @param direction Index of the direction from 0, less than 2^31.
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
