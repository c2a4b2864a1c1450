/**
 * What a LoRA adapter consists of, and what its tensors are called.
 *
 * @module
 */

import type { AdapterPlan } from "./scheme.ts";

/** LoRA beside one matrix. */
export type LoraMatrix = {
  /** The matrix, such as `blk.0.attn_q.weight`. */
  readonly matrix: string;
  /** Rows of A, columns of B. */
  readonly rank: number;
  /** What B's product is multiplied by. */
  readonly scale: number;
  /** Whether B's product has a bias. */
  readonly bias?: true;
};

/** What a LoRA adapter consists of. */
export type LoraPlan = AdapterPlan & {
  /** In the order of the forward. */
  readonly matrices: readonly LoraMatrix[];
};

/** The names of a matrix's two factors, and of the bias if there is one. */
export function loraNames(matrix: string): {
  readonly down: string;
  readonly up: string;
  readonly bias: string;
} {
  return { down: `${matrix}.lora_a`, up: `${matrix}.lora_b`, bias: `${matrix}.lora_bias` };
}
