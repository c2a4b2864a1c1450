/**
 * The plan of a LoRA adapter, and the names of its tensors.
 *
 * @module
 */

import type { AdapterPlan } from "./scheme.ts";

/** LoRA for one matrix. */
export type LoraMatrix = {
  /** Name of the matrix, such as `blk.0.attn_q.weight`. */
  readonly matrix: string;
  /** Rank: the rows of A and columns of B. */
  readonly rank: number;
  /** Factor for the product with B. */
  readonly scale: number;
  /** Whether the product with B has a bias. */
  readonly bias?: true;
};

/** The plan of a LoRA adapter. */
export type LoraPlan = AdapterPlan & {
  /** The matrices, in the order of the forward pass. */
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
