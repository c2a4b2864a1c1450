/**
 * The scalar algebra in which estimators and transformations are written once. The host interprets it on numbers rounded to f32; the device
 * executor emits it as WGSL.
 *
 * @module
 */

/**
 * Arithmetic on f32 scalars with a representation `T`: a number on the host, an expression on the device.
 *
 * A condition is also a scalar: 1 for true, 0 for false. WGSL rounds `add`, `sub` and `mul` correctly, but `div` and `sqrt` only approximately.
 * If a divisor is known in advance, rules therefore multiply by a reciprocal computed on the host.
 */
export interface Ops<T> {
  /**
   * A number known when the program is written, rounded to f32.
   *
   * @throws {RangeError} when it is not finite.
   */
  constant(value: number): T;
  /** `a + b` */
  add(a: T, b: T): T;
  /** `a - b` */
  sub(a: T, b: T): T;
  /** `a * b` */
  mul(a: T, b: T): T;
  /** `a / b`. On a device it is exact to 2.5 units in the last place. */
  div(a: T, b: T): T;
  /** `-a` */
  neg(a: T): T;
  /** `|a|` */
  abs(a: T): T;
  /** The smaller of two finite scalars. */
  min(a: T, b: T): T;
  /** The larger of two finite scalars. */
  max(a: T, b: T): T;
  /** The square root of `a >= 0`. On a device it is approximate. */
  sqrt(a: T): T;
  /** The sign of `a`: 1, 0 or -1. */
  sign(a: T): T;
  /** 1 if `a < b`, otherwise 0. */
  less(a: T, b: T): T;
  /** `whenTrue` if `condition` is not 0, otherwise `whenFalse`. */
  select(condition: T, whenTrue: T, whenFalse: T): T;
}

/**
 * Rounds a program's constant to f32.
 *
 * @throws {RangeError} when it is not finite.
 */
export function finiteConstant(value: number): number {
  const rounded = Math.fround(value);
  if (Number.isFinite(rounded)) return rounded;
  throw new RangeError(`Cannot use ${value} as a constant of a scalar program: not a finite f32`);
}

/**
 * The host's interpretation: numbers, with every result rounded to f32.
 *
 * @example One tenth is rounded to f32
 * ```ts
 * import { hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(hostOps.add(hostOps.constant(0.1), hostOps.constant(0.2)), Math.fround(0.3));
 * assertEquals(hostOps.select(hostOps.less(1, 2), 10, 20), 10);
 * ```
 */
export const hostOps: Ops<number> = {
  constant: finiteConstant,
  add: (a, b) => Math.fround(a + b),
  sub: (a, b) => Math.fround(a - b),
  mul: (a, b) => Math.fround(a * b),
  div: (a, b) => Math.fround(a / b),
  neg: (a) => -a,
  abs: (a) => Math.abs(a),
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  sqrt: (a) => Math.fround(Math.sqrt(a)),
  sign: (a) => Math.sign(a),
  less: (a, b) => a < b ? 1 : 0,
  select: (condition, whenTrue, whenFalse) => condition !== 0 ? whenTrue : whenFalse,
};
