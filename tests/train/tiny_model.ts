/**
 * A model so small that a training step takes milliseconds, and a task that it can learn.
 *
 * @module
 */
import type { Gpu, OffsetSet } from "../../kernels/mod.ts";
import {
  type Example,
  loadModel,
  type Model,
  type ModelSource,
  quantizedSource,
} from "../../models/mod.ts";
import { ggufModelSource } from "../../models/checkpoints/gguf/open_gguf.ts";
import { planOffsets, type Selection } from "../../train/selection.ts";
import type { LedgerHeader, Optimiser } from "../../optim/mod.ts";
import { bytesSource } from "../../quant/mod.ts";
import { ledgerHeader } from "../../train/mod.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { ggufBytes, type GgufValue, llamaF32Tensors } from "../support/gguf_writer.ts";
import { randomLlama, randomNumbers } from "../support/random_llama.ts";

/** Rows of the vocabulary are no multiple of 4, so that offsets have padding. */
export const tinyShape: LlamaShape = {
  hidden: 32,
  layers: 1,
  feedForward: 64,
  heads: 2,
  kvHeads: 1,
  vocabulary: 67,
  epsilon: 1e-5,
  ropeBase: 10000,
  rope: "norm",
};

/** The random weights of the tiny model, by Hugging Face names. */
export function tinyWeights(seed = 1): Record<string, Float32Array<ArrayBuffer>> {
  return randomLlama(tinyShape, { seed });
}

/** The tiny model as a GGUF file of F32 tensors, without a tokenizer. */
export function tinyGguf(seed = 1, s: LlamaShape = tinyShape): Uint8Array<ArrayBuffer> {
  const u32 = (value: number): GgufValue => ({ kind: "u32", value });
  const f32 = (value: number): GgufValue => ({ kind: "f32", value });
  return ggufBytes({
    "general.architecture": { kind: "string", value: "llama" },
    "llama.context_length": u32(32),
    "llama.embedding_length": u32(s.hidden),
    "llama.block_count": u32(s.layers),
    "llama.feed_forward_length": u32(s.feedForward),
    "llama.attention.head_count": u32(s.heads),
    "llama.attention.head_count_kv": u32(s.kvHeads),
    "llama.attention.layer_norm_rms_epsilon": f32(s.epsilon),
    "llama.rope.freq_base": f32(s.ropeBase),
  }, llamaF32Tensors(s, randomLlama(s, { seed })));
}

/** The tiny model quantised, its vocabulary tables too. */
export async function tinySource(format = "Q4_0", seed = 1): Promise<ModelSource> {
  const source = await ggufModelSource(bytesSource(tinyGguf(seed), "tiny.gguf"));
  return quantizedSource(source, { format, embedding: format, head: format });
}

/** The tiny model on a device. */
export async function loadTiny(gpu: Gpu, format = "Q4_0", seed = 1): Promise<Model> {
  return await loadModel(gpu, await tinySource(format, seed));
}

/** Everything with scales, the vocabulary tables too. */
export const allScales: Selection = { exclude: [] };

/** Scales, gains of norms, and what else is not quantised. */
export const allKinds: Selection = { kinds: ["scales", "norms", "dense"], exclude: [] };

/** Offsets at zero for an optimiser. */
export function tinyOffsets(
  model: Model,
  optimiser: Optimiser,
  selection: Selection = allScales,
): OffsetSet {
  return planOffsets(model, optimiser, model.gpu.maxBinding, selection).allocate(model.gpu);
}

/** A ledger's header for a fine-tune; the same on every run. */
export function tinyHeader(
  model: { readonly fingerprint: string },
  optimiser: Optimiser,
  offsets: Pick<OffsetSet, "trainables">,
  seed = 0,
): LedgerHeader {
  return {
    ...ledgerHeader({ model, optimiser, offsets, seed }),
    created: "2026-01-01T00:00:00.000Z",
  };
}

/**
 * A task that takes learning: the prompt's last token says which of two labels is right, and an untrained model answers
 * by chance. All examples are of one length, so that there is one batch shape.
 */
export function tinyExamples(count: number, seed = 1): Example[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => {
    const label = random() < 0.5 ? 0 : 1;
    const filler = Array.from({ length: 3 }, () => 20 + Math.floor(random() * 40));
    const sign = 8 * label + 4 + Math.floor(random() * 4);
    return { prompt: [...filler, sign], candidates: [[1], [2]], label };
  });
}

/** The bits of offsets, in the order of the names. */
export function bitsOf(offsets: ReadonlyMap<string, Float32Array>): Record<string, Uint32Array> {
  return Object.fromEntries(
    [...offsets].map(([name, values]) => [name, new Uint32Array(values.slice().buffer)]),
  );
}

/** SHA-256 over names and bits of offsets. */
export async function hashOf(offsets: ReadonlyMap<string, Float32Array>): Promise<string> {
  const parts: BlobPart[] = [];
  for (const [name, values] of offsets) parts.push(name, values.slice());
  const bytes = await new Blob(parts).arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
