/**
 * Statistics of a linear layer's inputs on calibration text, as used by calibrated quantisers.
 *
 * @module
 */

/** Second moments of the inputs x of a linear layer y = W x, over the tokens of a calibration text. */
export interface InputStatistics {
  /** Number of inputs of the layer: the columns of its weight. */
  readonly columns: number;
  /** Number of tokens seen. */
  readonly tokens: number;
  /**
   * Mean of x xᵀ, row-major `columns x columns`, symmetric. Twice this is the Hessian of the layer's mean squared output error with
   * respect to a row of W (GPTQ, arXiv 2210.17323, section 3).
   */
  readonly moments: Float32Array;
  /** Mean of |x| by column: the activation scale of AWQ (arXiv 2306.00978, section 3.2). */
  readonly magnitudes: Float32Array;
}
