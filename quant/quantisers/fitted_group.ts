/**
 * The result of fitting a group of values.
 *
 * @module
 */

/** The fitted values, as f16 bits. */
export interface GroupFit {
  /** The scale. */
  readonly scale: number;
  /** The zero point or minimum; 0 if the layout has none. */
  readonly second: number;
}

/** Fits a group of finite values, with a small squared error weighted by `importance`. */
export type GroupFitter = (values: Float32Array, importance?: Float32Array) => GroupFit;
