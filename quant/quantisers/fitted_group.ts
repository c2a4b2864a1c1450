/**
 * What fitting a group of values finds.
 *
 * @module
 */

/** Bits of the f16 values that were found. */
export interface GroupFit {
  /** The scale. */
  readonly scale: number;
  /** The zero point or minimum; 0 where the layout has none. */
  readonly second: number;
}

/** Fits a group of finite values so that their squared error, weighted by `importance`, is small. */
export type GroupFitter = (values: Float32Array, importance?: Float32Array) => GroupFit;
