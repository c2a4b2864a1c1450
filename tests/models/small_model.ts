/**
 * Small random models as the library loads them, and what the f64 oracle says of them.
 *
 * @module
 */
import { join } from "@std/path";
import type { Example, ModelSource } from "../../models/mod.ts";
import { ggufModelSource } from "../../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource } from "../../quant/mod.ts";
import { effectiveWeights, type NoiseTerm } from "../reference/effective_weights.ts";
import {
  type Leading,
  llamaLogits,
  type LlamaShape,
  type NamedWeights,
} from "../reference/llama.ts";
import { classificationLoss, languageModellingLoss } from "../reference/losses.ts";
import { targetLogProbabilities } from "../reference/softmax_nll.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../support/gguf_writer.ts";
import { randomNumbers } from "../support/random_llama.ts";

/** Two layers, shared key-value heads, a head size that is no power of two. */
export const smallShape: LlamaShape = {
  hidden: 96,
  layers: 2,
  feedForward: 160,
  heads: 4,
  kvHeads: 2,
  vocabulary: 290,
  epsilon: 1e-5,
  ropeBase: 10000,
  rope: "norm",
};

/** The bytes of a GGUF file of F32 tensors; rows of q and k must be in the "norm" convention. */
export function ggufOf(shape: LlamaShape, weights: NamedWeights): Uint8Array<ArrayBuffer> {
  return ggufBytes(llamaMetadata(shape), llamaF32Tensors(shape, weights));
}

/** A GGUF model in memory. */
export function ggufInMemory(shape: LlamaShape, weights: NamedWeights): Promise<ModelSource> {
  return ggufModelSource(bytesSource(ggufOf(shape, weights), "memory.gguf"));
}

/** The `config.json` of a shape. */
export function huggingFaceConfig(shape: LlamaShape, tied: boolean): Record<string, unknown> {
  return {
    model_type: "llama",
    hidden_size: shape.hidden,
    intermediate_size: shape.feedForward,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    vocab_size: shape.vocabulary,
    rms_norm_eps: shape.epsilon,
    rope_theta: shape.ropeBase,
    max_position_embeddings: 512,
    tie_word_embeddings: tied,
  };
}

/** The shape of a Hugging Face tensor. */
export function tensorShape(shape: LlamaShape, name: string, length: number): number[] {
  if (name.includes("norm") || name.endsWith(".bias")) return [length];
  const inputs = name.includes("o_proj")
    ? shape.heads * (shape.headSize ?? shape.hidden / shape.heads)
    : name.includes("down_proj")
    ? shape.feedForward
    : shape.hidden;
  return [length / inputs, inputs];
}

/** A safetensors file of F32 tensors, written without the library. */
export function safetensorsOf(
  shape: LlamaShape,
  weights: Readonly<Record<string, Float32Array<ArrayBuffer>>>,
): Uint8Array<ArrayBuffer> {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(weights).map(([name, data]) => {
      const start = end;
      end += data.byteLength;
      const entry = {
        dtype: "F32",
        shape: tensorShape(shape, name, data.length),
        data_offsets: [start, end],
      };
      return [name, entry];
    }),
  );
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + padded + end).fill(32, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(json, 8);
  let at = 8 + padded;
  for (const data of Object.values(weights)) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/** Writes a Hugging Face folder, in several files when `shards` is above 1, and removes it after `body`. */
export async function withFolder(
  shape: LlamaShape,
  weights: Readonly<Record<string, Float32Array<ArrayBuffer>>>,
  body: (folder: string) => Promise<void>,
  { shards = 1, tied = weights["lm_head.weight"] === undefined }: {
    readonly shards?: number;
    readonly tied?: boolean;
  } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const write = (name: string, value: unknown) =>
      Deno.writeTextFile(join(folder, name), JSON.stringify(value));
    await write("config.json", huggingFaceConfig(shape, tied));
    const map: Record<string, string> = {};
    for (let shard = 0; shard < shards; shard++) {
      const entries = Object.entries(weights).filter((_, i) => i % shards === shard);
      const name = shards === 1
        ? "model.safetensors"
        : `model-${shard + 1}-of-${shards}.safetensors`;
      for (const [tensor] of entries) map[tensor] = name;
      const bytes = safetensorsOf(shape, Object.fromEntries(entries));
      await Deno.writeFile(join(folder, name), bytes);
    }
    if (shards > 1) await write("model.safetensors.index.json", { weight_map: map });
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How a tensor is moved away from its file. */
export interface Moved {
  readonly offsets: ArrayLike<number> | null;
  readonly form: "absolute" | "relative";
  readonly span: number;
  readonly noise: NoiseTerm | null;
}

/** The weights of a source in f64, each tensor moved as `moved` says. */
export async function weightsOf(
  source: ModelSource,
  moved: (name: string) => Moved | undefined = () => undefined,
): Promise<Record<string, Float64Array>> {
  const weights: Record<string, Float64Array> = {};
  for (const [name, tensor] of source.tensors) {
    const packed = await tensor.read(0, tensor.rows);
    const m = moved(name);
    weights[name] = m
      ? effectiveWeights(packed, m.offsets, m.form, m.span, m.noise)
      : effectiveWeights(packed);
  }
  return weights;
}

/** Log-probabilities of a candidate's tokens after a prompt, by the oracle, in a sequence of its own. */
export function candidateLogProbabilities(
  shape: LlamaShape,
  weights: NamedWeights,
  prompt: readonly number[],
  candidate: readonly number[],
  leading: Leading | null = null,
): Float64Array {
  const tokens = [...prompt, ...candidate];
  const logits = llamaLogits(shape, weights, tokens.slice(0, -1), leading);
  const place = Math.max(0, prompt.length - 1);
  const first = (leading?.vectors?.length ?? 0) / shape.hidden + place;
  return targetLogProbabilities(
    logits.subarray(first * shape.vocabulary),
    shape.vocabulary,
    tokens.slice(place + 1),
  );
}

/** The loss of a batch by the oracle: every candidate in a sequence of its own. */
export function oracleLoss(
  shape: LlamaShape,
  weights: NamedWeights,
  examples: readonly Example[],
  objective: "language-modelling" | "classification",
  leading: Leading | null = null,
): number {
  const scored = examples.map(({ prompt, candidates, label }) => ({
    candidates: candidates.map((c) =>
      candidateLogProbabilities(shape, weights, prompt, c, leading)
    ),
    label,
  }));
  if (objective === "classification") return classificationLoss(scored);
  return languageModellingLoss(scored.flatMap((s) => s.candidates.flatMap((c) => [...c])));
}

/** Random tokens, the same for the same seed. */
export function randomTokens(vocabulary: number, length: number, seed: number): number[] {
  const random = randomNumbers(seed);
  return Array.from({ length }, () => Math.floor(random() * vocabulary));
}

/** Sequences without prompts for language modelling. */
export function textExamples(vocabulary: number, lengths: readonly number[]): Example[] {
  return lengths.map((n, i) => ({
    prompt: [],
    candidates: [randomTokens(vocabulary, n, 100 + i)],
    label: 0,
  }));
}

/** Prompts with candidates of several lengths for classification. */
export function choiceExamples(vocabulary: number, lengths: readonly number[]): Example[] {
  return lengths.map((n, i) => ({
    prompt: randomTokens(vocabulary, n, 200 + i),
    candidates: [1, 2 + i % 3, 1 + i % 2].slice(0, 2 + i % 2).map((k, j) =>
      randomTokens(vocabulary, k, 300 + 10 * i + j)
    ),
    label: i % 2,
  }));
}
