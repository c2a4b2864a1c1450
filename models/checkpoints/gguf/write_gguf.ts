/**
 * A model as one GGUF file.
 *
 * @module
 */

import { decode } from "../../../quant/layouts/decode.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import { copiedMetadata } from "../../../quant/files/gguf_split.ts";
import { type GgufTensorData, writeGguf } from "../../../quant/files/gguf_write.ts";
import type { GgufTyped, GgufValue } from "../../../quant/mod.ts";
import { quantize } from "../../../quant/quantisers/round_to_nearest.ts";
import { headsOf, reorderHeads } from "../head_order.ts";
import type { ModelConfig } from "../../model_config.ts";
import { ROPE_FACTORS_NAME, ropeFactorsOf } from "../rope_factors.ts";
import { type ModelSource, rowsPerPiece, type TensorSource } from "../checkpoint.ts";
import { tokenizerToGguf } from "../../tokenizers/tokenizer_to_gguf.ts";
import { fitVocabulary, type GgufEntries } from "./vocabulary_rows.ts";
import type { WriteOptions } from "../write_options.ts";

/** What a GGUF file is to hold. */
export interface GgufModel {
  /** By key. */
  readonly metadata: ReadonlyMap<string, GgufValue | GgufTyped>;
  /** Their bytes are read when they are written. */
  readonly tensors: readonly GgufTensorData[];
  /** What was changed for the file's sake, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Plans a GGUF file without reading a tensor.
 *
 * @throws {RangeError | TypeError} For what GGUF has no form for: a tensor's format or order of columns, the rotary scaling, the tokenizer,
 * a special token without a row
 */
export function ggufModel(source: ModelSource, options: WriteOptions = {}): GgufModel {
  const { config, ropeFactors = ropeFactorsOf(config) } = source;
  const said: string[] = [];
  const metadata = ggufMetadata(source, (sentence) => said.push(sentence));
  const notes = [...said, ...fitVocabulary(metadata, config.vocabulary)];
  if (!metadata.has("tokenizer.ggml.model")) {
    notes.push(
      `The file has no tokenizer, as "${source.name}" brings none: llama.cpp loads no such file.`,
    );
  }
  let done = 0;
  const tensors = [...source.tensors.values()].map((tensor): GgufTensorData => {
    const { name, rows, columns } = tensor;
    const type = ggufType(tensor);
    return {
      name,
      dimensions: rows === 1 ? [columns] : [columns, rows],
      type,
      bytes: async function* (): AsyncGenerator<Uint8Array> {
        options.signal?.throwIfAborted();
        if (isNarrowVector(tensor)) yield await vectorAsBytes(tensor);
        else yield* rowsAsBytes(tensor, config);
        done++;
        options.onProgress?.({ tensor: name, done, total: source.tensors.size });
      },
    };
  });
  if (ropeFactors) {
    tensors.push({
      name: ROPE_FACTORS_NAME,
      dimensions: [ropeFactors.length],
      type: formatByName("F32").gguf!.type,
      bytes: new Uint8Array(ropeFactors.slice().buffer),
    });
  }
  return { metadata, tensors, notes };
}

/** The bytes of `source` as a GGUF file, in order. Heads are reordered where the source has the other rotary convention. */
export async function* modelAsGguf(
  source: ModelSource,
  options: WriteOptions = {},
): AsyncGenerator<Uint8Array> {
  yield* writeGguf(ggufModel(source, options));
}

function ggufType(tensor: TensorSource): number {
  const { name, format, columnOrder } = tensor;
  if (columnOrder) {
    throw new RangeError(
      `Cannot write tensor "${name}" as GGUF: its columns are in an order of their own (GPTQ's desc_act), which GGUF has no form for; write a folder instead`,
    );
  }
  if (!format.gguf) {
    throw new RangeError(
      `Cannot write tensor "${name}" as GGUF: the format ${format.name} is not one of GGUF's; write a folder instead`,
    );
  }
  return isNarrowVector(tensor) ? formatByName("F32").gguf!.type : format.gguf.type;
}

/** llama.cpp multiplies by gains of type F32 only; as such they lose nothing. */
function isNarrowVector({ rows, format: { layout } }: TensorSource): boolean {
  return rows === 1 && layout.kind === "dense" && layout.type !== "f32";
}

async function vectorAsBytes(tensor: TensorSource): Promise<Uint8Array> {
  const values = decode(await tensor.read(0, 1));
  return formatByName("F32").pack(quantize(values, 1, tensor.columns, "F32"));
}

async function* rowsAsBytes(tensor: TensorSource, config: ModelConfig): AsyncGenerator<Uint8Array> {
  const heads = config.ropeInterleaved ? 0 : headsOf(tensor.name, config);
  const step = heads > 0 ? tensor.rows : rowsPerPiece(tensor);
  for (let first = 0; first < tensor.rows; first += step) {
    const packed = await tensor.read(first, Math.min(step, tensor.rows - first));
    yield tensor.format.pack(heads > 0 ? reorderHeads(packed, heads, true) : packed);
  }
}

function ggufMetadata(source: ModelSource, onNote: (sentence: string) => void): GgufEntries {
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
  const { ropeScaling } = config;
  if (ropeScaling?.type === "linear") {
    metadata.set("llama.rope.scaling.type", "linear");
    metadata.set("llama.rope.scaling.factor", f32(ropeScaling.factor));
  } else if (ropeScaling && !ropeFactorsOf(config)) {
    throw new RangeError(
      `Cannot write GGUF: rotary scaling of type "${ropeScaling.type}" has no form there; write a folder instead`,
    );
  }
  if (tokenizerFiles) {
    const tokenizer = tokenizerToGguf(tokenizerFiles.json, tokenizerFiles.config, {
      ...tokenizerFiles,
      vocabularySize: config.vocabulary,
      onNote,
    });
    for (const [key, value] of tokenizer) {
      metadata.set(key, typeof value === "number" ? u32(value) : value);
    }
  }
  return metadata;
}
