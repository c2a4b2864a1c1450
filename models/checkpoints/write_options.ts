/**
 * Options for writing a model.
 *
 * @module
 */

import type { OptionRules } from "../../optim/options.ts";
import type { Beyond } from "../../quant/fold/fold_offsets.ts";

/** Options for writing a model. */
export interface WriteOptions {
  /** Called after each tensor. */
  readonly onProgress?: (progress: { tensor: string; done: number; total: number }) => void;
  /** Aborts before the next tensor. No partial file is left. */
  readonly signal?: AbortSignal;
}

/** Options for writing trained values. */
export interface FoldWriteOptions extends WriteOptions {
  /** What to do with tuned numbers outside the range of their stored type. Default `"refuse"`. */
  readonly beyond?: Beyond;
  /** What to do with a fine-tune that would change nothing in the file. Default `"write"`; exporting a run uses `"refuse"`. */
  readonly unchanged?: "write" | "refuse";
}

/** The known options. */
export const foldWriteRules: OptionRules<FoldWriteOptions> = {
  onProgress: "any",
  signal: "any",
  beyond: "any",
  unchanged: "any",
};
