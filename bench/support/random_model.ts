/**
 * Llama models with random weights, and text for them, for measurements that need no trained model.
 *
 * @module
 */
import type { Example, ModelSource } from "../../mod.ts";
import { ggufModelSource } from "../../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource } from "../../quant/mod.ts";
import type { LlamaShape } from "../../tests/reference/llama.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../../tests/support/gguf_writer.ts";
import { permuteHeads, randomLlama } from "../../tests/support/random_llama.ts";

/** The common part of the shapes of random models. */
export const RANDOM_SHAPE = {
  vocabulary: 1024,
  epsilon: 1e-5,
  ropeBase: 1e4,
  rope: "norm",
} as const;

/** A model in memory with random weights, which are the same every time. */
export function randomModel(shape: LlamaShape): Promise<ModelSource> {
  const weights = permuteHeads(shape, randomLlama(shape, { seed: 1, tied: true }));
  const bytes = ggufBytes(llamaMetadata(shape), llamaF32Tensors(shape, weights));
  return ggufModelSource(bytesSource(bytes as Uint8Array<ArrayBuffer>, "random"));
}

/** Sequences with `tokens` predictions each. */
export function textOf(sequences: number, tokens: number): Example[] {
  return Array.from({ length: sequences }, (_, i) => ({
    prompt: [],
    candidates: [Array.from({ length: tokens + 1 }, (_, j) => 3 + (i * 31 + j * 17) % 1000)],
    label: 0,
  }));
}
