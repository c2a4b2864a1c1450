/**
 * What one may say of writing a model.
 *
 * @module
 */

import type { OptionRules } from "../../optim/options.ts";
import type { Beyond } from "../../quant/fold/fold_offsets.ts";

/** Progress of writing. */
export interface WriteOptions {
  /** Called after each tensor. */
  readonly onProgress?: (progress: { tensor: string; done: number; total: number }) => void;
  /** Stops before the next tensor; nothing is left half-written. */
  readonly signal?: AbortSignal;
}

/** How trained values are written. */
export interface FoldWriteOptions extends WriteOptions {
  /** What becomes of tuned numbers beyond what their stored type reaches. Default `"refuse"`. */
  readonly beyond?: Beyond;
  /** What becomes of a fine-tune of which nothing would be in the file. Default `"write"`; an export of a run refuses it. */
  readonly unchanged?: "write" | "refuse";
}

/** The options of writing that there are. */
export const foldWriteRules: OptionRules<FoldWriteOptions> = {
  onProgress: "any",
  signal: "any",
  beyond: "any",
  unchanged: "any",
};
