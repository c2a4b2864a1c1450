/**
 * One small random model in every kind of file that is read: folders and GGUF files, with each form of rotary scaling.
 *
 * @module
 */
import { join } from "@std/path";
import { type SpelledTokenizer, tokenizerJsonFromGguf } from "../../models/mod.ts";
import type { LlamaShape } from "../reference/llama.ts";
import {
  f32Tensor,
  ggufBytes,
  type GgufTensor,
  type GgufValue,
  llamaF32Tensors,
  llamaMetadata,
} from "./gguf_writer.ts";
import { permuteHeads, randomLlama } from "./random_llama.ts";
import { safetensorsBytes, type StoredTensor } from "./safetensors_writer.ts";

/** Heads of 16: eight rotated pairs. */
export const kindShape: LlamaShape = {
  hidden: 64,
  layers: 1,
  feedForward: 96,
  heads: 4,
  kvHeads: 2,
  vocabulary: 272,
  epsilon: 1e-5,
  ropeBase: 10000,
  rope: "neox",
};

/** As in Llama 3.1, for a context of 32. */
export const llama3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 32,
};

/** What llama.cpp's converter writes for {@linkcode llama3}, in the words of its formula. */
export function llama3Factors(): Float32Array<ArrayBuffer> {
  const [low, high, factor, context, pairs] = [1, 4, 8, 32, 8];
  return Float32Array.from({ length: pairs }, (_, i) => {
    const wavelength = 2 * Math.PI * kindShape.ropeBase ** (i / pairs);
    if (wavelength < context / high) return 1;
    if (wavelength > context / low) return factor;
    const smooth = (context / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

type Weights = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** Types of the tensors of a folder. */
export type FolderType = "F32" | "F16" | "BF16";

function stored(name: string, values: Float32Array<ArrayBuffer>, dtype: FolderType): StoredTensor {
  const { hidden, feedForward } = kindShape;
  const columns = name.includes("down_proj") ? feedForward : hidden;
  const shape = name.includes("norm") ? [values.length] : [values.length / columns, columns];
  const bytes = dtype === "F32"
    ? values
    : dtype === "F16"
    ? new Float16Array(values)
    : Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
  return { dtype, shape, bytes: new Uint8Array(bytes.buffer) };
}

/** Metadata as a reader would have it. */
function plainMetadata(): Map<string, unknown> {
  return new Map(
    Object.entries(llamaMetadata(kindShape)).map(([key, { value }]) => [key, value]),
  );
}

/** The tokens of {@linkcode llamaMetadata}, but `count` of them, whatever the rows of the embedding. */
export function tokensOf(count: number): Record<string, GgufValue> {
  const metadata = llamaMetadata({ ...kindShape, vocabulary: count });
  return Object.fromEntries(
    ["tokens", "scores", "token_type"].map((name) => {
      const key = `tokenizer.ggml.${name}`;
      return [key, metadata[key]];
    }),
  );
}

/** Writes a folder with a tokenizer. `change` may replace tensors. */
export async function writeKindFolder(
  folder: string,
  { dtype = "F32", tied = false, config = {}, change = (it) => it, tokenizer = (it) => it }: {
    readonly dtype?: FolderType;
    readonly tied?: boolean;
    readonly config?: Readonly<Record<string, unknown>>;
    readonly change?: (tensors: Record<string, StoredTensor>) => Record<string, StoredTensor>;
    readonly tokenizer?: (files: SpelledTokenizer) => SpelledTokenizer;
  } = {},
): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const weights: Weights = randomLlama(kindShape, { seed: 3, tied });
  const tensors = change(Object.fromEntries(
    Object.entries(weights).map(([name, values]) => [name, stored(name, values, dtype)]),
  ));
  const write = (name: string, value: unknown) =>
    Deno.writeTextFile(join(folder, name), JSON.stringify(value));
  await write("config.json", {
    model_type: "llama",
    hidden_size: kindShape.hidden,
    intermediate_size: kindShape.feedForward,
    num_hidden_layers: kindShape.layers,
    num_attention_heads: kindShape.heads,
    num_key_value_heads: kindShape.kvHeads,
    vocab_size: kindShape.vocabulary,
    rms_norm_eps: kindShape.epsilon,
    rope_theta: kindShape.ropeBase,
    max_position_embeddings: 256,
    tie_word_embeddings: tied,
    ...config,
  });
  const files = tokenizer(tokenizerJsonFromGguf(plainMetadata()));
  await write("tokenizer.json", files.json);
  await write("tokenizer_config.json", files.config);
  await Deno.writeFile(join(folder, "model.safetensors"), safetensorsBytes(tensors));
  return folder;
}

/** Writes a GGUF file, or two parts of one when `path` is that of a first part. */
export async function writeKindGguf(
  path: string,
  { tied = false, factors, metadata = {}, tensors: more = {} }: {
    readonly tied?: boolean;
    readonly factors?: Float32Array;
    readonly metadata?: Readonly<Record<string, GgufValue>>;
    readonly tensors?: Readonly<Record<string, GgufTensor>>;
  } = {},
): Promise<string> {
  const weights = permuteHeads(kindShape, randomLlama(kindShape, { seed: 3, tied }));
  const tensors = {
    ...llamaF32Tensors(kindShape, weights),
    ...factors ? { "rope_freqs.weight": f32Tensor(factors, [factors.length]) } : {},
    ...more,
  };
  const all = { ...llamaMetadata(kindShape, 256), ...metadata };
  if (!/-00001-of-00002\.gguf$/.test(path)) {
    await Deno.writeFile(path, ggufBytes(all, tensors));
    return path;
  }
  const entries = Object.entries(tensors);
  const u32 = (value: number): GgufValue => ({ kind: "u32", value });
  for (const [i, part] of [entries.slice(0, 5), entries.slice(5)].entries()) {
    const split = {
      "split.no": u32(i),
      "split.count": u32(2),
      "split.tensors.count": u32(entries.length),
    };
    await Deno.writeFile(
      path.replace("00001", `0000${i + 1}`),
      ggufBytes({ ...i === 0 ? all : {}, ...split }, Object.fromEntries(part)),
    );
  }
  return path;
}
