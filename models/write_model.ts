/**
 * Writes a model: one GGUF file, or a Hugging Face folder whose packed tensors keep their own formats.
 *
 * @module
 */

import { join } from "@std/path";
import { bitsPerWeight } from "../quant/formats.ts";
import type { GgufTyped, GgufValue } from "../quant/mod.ts";
import { packedToSafetensors, storedPlanes } from "../quant/packed_safetensors.ts";
import { copiedMetadata } from "../quant/gguf_split.ts";
import { writeGguf } from "../quant/gguf_write.ts";
import { planSafetensors, type SafetensorsTensorData } from "../quant/safetensors.ts";
import type { ModelConfig } from "./config.ts";
import { type PlacedBytes, writeFileWhole } from "./file_source.ts";
import { huggingFaceName } from "./names.ts";
import { reorderHeads } from "./head_order.ts";
import { type ModelSource, rowsPerPiece, type TensorSource } from "./source.ts";
import type { WriteOptions } from "./write_options.ts";
import { writeStoredFolder } from "./write_stored_folder.ts";
import { tokenizerToGguf } from "./tokenizer_to_gguf.ts";

export type { WriteOptions } from "./write_options.ts";

/** What was written. */
export interface WriteReport {
  /** Where it was written. */
  readonly path: string;
  /** Bits per weight over all tensors. */
  readonly bitsPerWeight: number;
  /** Number of tensors by format. */
  readonly formats: ReadonlyMap<string, number>;
  /** What a user should know of how it was written, a sentence each. */
  readonly notes?: readonly string[] | undefined;
}

/**
 * Writes `source` to `path`: a GGUF file when the path ends in `.gguf`, else a folder. A folder whose tensors are those of a
 * folder on disk, but for trained values, is written as it was, in its own form; any other in this library's.
 *
 * @throws {RangeError} When a tensor's format has no form in GGUF
 */
export async function writeModel(
  source: ModelSource,
  path: string,
  options: WriteOptions = {},
): Promise<WriteReport> {
  if (path.endsWith(".gguf")) await writeFileWhole(path, modelAsGguf(source, options));
  else if (source.folder) await writeStoredFolder(source, source.folder, path, options);
  else await writeFolder(source, path, options);
  const formats = new Map<string, number>();
  let bits = 0;
  let weights = 0;
  for (const { format, rows, columns } of source.tensors.values()) {
    formats.set(format.name, (formats.get(format.name) ?? 0) + 1);
    bits += bitsPerWeight(format, rows, columns) * rows * columns;
    weights += rows * columns;
  }
  return { path, bitsPerWeight: bits / weights, formats };
}

/** The bytes of `source` as a GGUF file, in order. Heads are reordered where the source has the other rotary convention. */
export async function* modelAsGguf(
  source: ModelSource,
  { onProgress, signal }: WriteOptions = {},
): AsyncGenerator<Uint8Array> {
  const { config } = source;
  let done = 0;
  const tensors = [...source.tensors.values()].map((tensor) => {
    const { name, rows, columns, format } = tensor;
    if (!format.gguf) {
      throw new RangeError(
        `Cannot write tensor "${name}" as GGUF: the format ${format.name} is not one of GGUF's; write a folder instead`,
      );
    }
    return {
      name,
      dimensions: rows === 1 ? [columns] : [columns, rows],
      type: format.gguf.type,
      bytes: async function* (): AsyncGenerator<Uint8Array> {
        signal?.throwIfAborted();
        yield* rowsAsBytes(tensor, config);
        done++;
        onProgress?.({ tensor: name, done, total: source.tensors.size });
      },
    };
  });
  yield* writeGguf({ metadata: ggufMetadata(source), tensors });
}

async function* rowsAsBytes(tensor: TensorSource, config: ModelConfig): AsyncGenerator<Uint8Array> {
  const heads = config.ropeInterleaved ? 0 : headsOf(tensor.name, config);
  const step = heads > 0 ? tensor.rows : rowsPerPiece(tensor);
  for (let first = 0; first < tensor.rows; first += step) {
    const packed = await tensor.read(first, Math.min(step, tensor.rows - first));
    yield tensor.format.pack(heads > 0 ? reorderHeads(packed, heads, true) : packed);
  }
}

function headsOf(name: string, config: ModelConfig): number {
  if (name.endsWith(".attn_q.weight")) return config.heads;
  return name.endsWith(".attn_k.weight") ? config.keyValueHeads : 0;
}

function ggufMetadata(source: ModelSource): Map<string, GgufValue | GgufTyped> {
  const { config, header, tokenizerFiles } = source;
  const u32 = (value: number): GgufTyped => ({ type: "uint32", value });
  const f32 = (value: number): GgufTyped => ({ type: "float32", value });
  // The type that most tensors have may no longer be true.
  if (header) return copiedMetadata(header, ["general.file_type"]);
  const metadata = new Map<string, GgufValue | GgufTyped>();
  const own: [string, GgufValue | GgufTyped][] = [
    ["general.architecture", config.architecture],
    ["general.name", source.name.split(/[\\/]/).at(-1) ?? "model"],
    ["llama.block_count", u32(config.layers)],
    ["llama.context_length", u32(config.context)],
    ["llama.embedding_length", u32(config.hidden)],
    ["llama.feed_forward_length", u32(config.feedForward)],
    ["llama.attention.head_count", u32(config.heads)],
    ["llama.attention.head_count_kv", u32(config.keyValueHeads)],
    ["llama.attention.key_length", u32(config.headDimension)],
    ["llama.attention.value_length", u32(config.headDimension)],
    ["llama.attention.layer_norm_rms_epsilon", f32(config.rmsEpsilon)],
    ["llama.rope.dimension_count", u32(config.headDimension)],
    ["llama.rope.freq_base", f32(config.ropeTheta)],
    ["llama.vocab_size", u32(config.vocabulary)],
  ];
  for (const [key, value] of own) metadata.set(key, value);
  if (config.ropeScaling?.type === "linear") {
    metadata.set("llama.rope.scaling.type", "linear");
    metadata.set("llama.rope.scaling.factor", f32(config.ropeScaling.factor));
  } else if (config.ropeScaling) {
    throw new RangeError(
      `Cannot write GGUF: rotary scaling of type "${config.ropeScaling.type}" has no metadata form; write a folder instead`,
    );
  }
  if (tokenizerFiles) {
    const tokenizer = tokenizerToGguf(tokenizerFiles.json, tokenizerFiles.config, {
      ...tokenizerFiles,
      vocabularySize: config.vocabulary,
    });
    for (const [key, value] of tokenizer) {
      metadata.set(key, typeof value === "number" ? u32(value) : value);
    }
  }
  return metadata;
}

async function writeFolder(
  source: ModelSource,
  folder: string,
  options: WriteOptions,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  try {
    await writeFolderFiles(source, folder, options);
  } catch (error) {
    await Deno.remove(folder).catch(() => {}); // unless something is in it
    throw error;
  }
}

async function writeFolderFiles(
  source: ModelSource,
  folder: string,
  options: WriteOptions,
): Promise<void> {
  const { config } = source;
  const tensors = [...source.tensors.values()].map((tensor) => storedTensor(tensor, config));
  await writeFileWhole(join(folder, "model.safetensors"), weightsFile(tensors, options));
  const json = (
    value: unknown,
  ) => [new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n")];
  if (source.tokenizerFiles) {
    await writeFileWhole(join(folder, "tokenizer.json"), json(source.tokenizerFiles.json));
    if (source.tokenizerFiles.config !== undefined) {
      await writeFileWhole(
        join(folder, "tokenizer_config.json"),
        json(source.tokenizerFiles.config),
      );
    }
  }
  const formats = Object.fromEntries(
    tensors.filter(({ tensor }) => tensor.format.layout.kind !== "dense")
      .map(({ name, tensor }) => [name, tensor.format.name]),
  );
  // Last: a folder with a config.json is a whole model.
  await writeFileWhole(join(folder, "config.json"), json(huggingFaceConfig(config, formats)));
}

/** A tensor as a folder of this library's own has it. */
interface FolderTensor {
  readonly tensor: TensorSource;
  /** In the folder. */
  readonly name: string;
  /** What it is stored as. */
  readonly planes: readonly Omit<SafetensorsTensorData, "bytes">[];
  /** Bytes of its planes by name: of a plane one behind the other. */
  readonly pieces: () => AsyncIterable<{ readonly name: string; readonly bytes: Uint8Array }>;
}

/** The bytes of `model.safetensors`, tensor by tensor: its planes lie apart from each other. */
async function* weightsFile(
  tensors: readonly FolderTensor[],
  { onProgress, signal }: WriteOptions,
): AsyncGenerator<PlacedBytes> {
  const { header, places } = planSafetensors(tensors.flatMap((it) => it.planes), { format: "pt" });
  yield { offset: 0, bytes: header };
  for (const [i, { tensor, planes, pieces }] of tensors.entries()) {
    signal?.throwIfAborted();
    const written = new Map(planes.map(({ name }) => [name, 0]));
    for await (const { name, bytes } of pieces()) {
      const before = written.get(name)!;
      yield { offset: places.get(name)!.offset + before, bytes };
      written.set(name, before + bytes.length);
    }
    for (const [name, length] of written) {
      const { byteLength } = places.get(name)!;
      if (length !== byteLength) {
        throw new TypeError(
          `Cannot write tensor "${name}": ${length} bytes, its shape needs ${byteLength}`,
        );
      }
    }
    onProgress?.({ tensor: tensor.name, done: i + 1, total: tensors.length });
  }
}

function storedTensor(tensor: TensorSource, config: ModelConfig): FolderTensor {
  const { format, rows, columns, columnOrder } = tensor;
  if (columnOrder) {
    throw new RangeError(
      `Cannot write tensor "${tensor.name}": its columns are reordered, which only the folder it came from can hold`,
    );
  }
  const name = `${huggingFaceName(tensor.name.replace(/\.weight$/, ""))}.weight`;
  // Folders have the pairs of a head half a head apart.
  const heads = config.ropeInterleaved ? headsOf(tensor.name, config) : 0;
  const dense = format.layout.kind === "dense";
  const step = dense && heads === 0 ? rowsPerPiece(tensor) : rows;
  return {
    tensor,
    name,
    planes: rows === 1 && dense
      ? storedPlanes(name, format.layout, rows, columns).map((it) => ({ ...it, shape: [columns] }))
      : storedPlanes(name, format.layout, rows, columns),
    pieces: async function* () {
      for (let first = 0; first < rows; first += step) {
        const packed = await tensor.read(first, Math.min(step, rows - first));
        yield* packedToSafetensors(name, heads > 0 ? reorderHeads(packed, heads, false) : packed);
      }
    },
  };
}

function huggingFaceConfig(config: ModelConfig, formats: Record<string, string>): unknown {
  const { ropeScaling: scaling } = config;
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: config.hidden,
    intermediate_size: config.feedForward,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headDimension,
    vocab_size: config.vocabulary,
    max_position_embeddings: config.context,
    rms_norm_eps: config.rmsEpsilon,
    rope_theta: config.ropeTheta,
    ...(scaling
      ? {
        rope_scaling: {
          rope_type: scaling.type,
          factor: scaling.factor,
          ...(scaling.type === "llama3"
            ? {
              low_freq_factor: scaling.lowFrequencyFactor,
              high_freq_factor: scaling.highFrequencyFactor,
              original_max_position_embeddings: scaling.originalContext,
            }
            : {}),
        },
      }
      : {}),
    hidden_act: "silu",
    tie_word_embeddings: config.tiedHead,
    ...(Object.keys(formats).length > 0
      ? { quantization_config: { quant_method: "qzo", formats } }
      : {}),
  };
}
