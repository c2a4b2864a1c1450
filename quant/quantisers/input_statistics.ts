/**
 * What calibration text says of a linear layer's inputs: all that quantisers with calibration need to know.
 *
 * @module
 */

/** Second moments of the inputs x of a linear layer y = W x, over the tokens of a calibration text. */
export interface InputStatistics {
  /** Inputs of the layer: columns of its weight. */
  readonly columns: number;
  /** Tokens seen. */
  readonly tokens: number;
  /**
   * Mean of x xᵀ, row-major `columns x columns`, symmetric. Twice this is the Hessian of the layer's mean squared output error with
   * respect to a row of W (GPTQ, arXiv 2210.17323, section 3).
   */
  readonly moments: Float32Array;
  /** Mean of |x| by column: what AWQ (arXiv 2306.00978, section 3.2) calls the activation's scale. */
  readonly magnitudes: Float32Array;
}
