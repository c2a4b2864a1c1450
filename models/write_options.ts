/**
 * What one may say of writing a model.
 *
 * @module
 */

/** Progress of writing. */
export interface WriteOptions {
  /** Called after each tensor. */
  readonly onProgress?: (progress: { tensor: string; done: number; total: number }) => void;
  /** Stops before the next tensor; nothing is left half-written. */
  readonly signal?: AbortSignal;
}
