/**
 * Writes a model as one GGUF file.
 *
 * @module
 */

import { decode } from "../../../quant/layouts/decode.ts";
import { elementType } from "../../../quant/layouts/layout.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import { copiedMetadata } from "../../../quant/files/gguf_split.ts";
import { type GgufTensorData, writeGguf } from "../../../quant/files/gguf_write.ts";
import type { GgufTyped, GgufValue } from "../../../quant/mod.ts";
import { quantize } from "../../../quant/quantisers/round_to_nearest.ts";
import { headsToReorder, reorderHeads } from "../head_order.ts";
import type { GgufForm, Weight } from "../../architecture.ts";
import { architectureOf, weightsOf } from "../../architectures.ts";
import type { ModelConfig } from "../../model_config.ts";
import { ROPE_FACTORS_NAME } from "../../rope_scaling.ts";
import { type ModelSource, rowsPerPiece, type TensorSource } from "../checkpoint.ts";
import { tokenizerToGguf } from "../../tokenizers/tokenizer_to_gguf.ts";
import { fitVocabulary, type GgufEntries } from "./vocabulary_rows.ts";
import type { WriteOptions } from "../write_options.ts";

/** Contents of a GGUF file. */
export interface GgufModel {
  /** Metadata by key. */
  readonly metadata: ReadonlyMap<string, GgufValue | GgufTyped>;
  /** Tensors, whose bytes are read when they are written. */
  readonly tensors: readonly GgufTensorData[];
  /** What was changed to fit the file format, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Plans a GGUF file without reading a tensor.
 *
 * @throws {RangeError | TypeError} when GGUF cannot express the architecture, a tensor's format or column order, the rotary scaling or the tokenizer,
 * or when a special token has no row.
 */
export function ggufModel(source: ModelSource, options: WriteOptions = {}): GgufModel {
  const { config } = source;
  const form = formOf(config);
  const { ropeFactors = form.ropeFactors?.(config) } = source;
  const weights = new Map(weightsOf(config).map((weight) => [weight.name, weight]));
  const said: string[] = [];
  const metadata = ggufMetadata(source, form, (sentence) => said.push(sentence));
  const notes = [...said, ...fitVocabulary(metadata, config.vocabulary)];
  if (!metadata.has("tokenizer.ggml.model")) {
    notes.push(
      `The file has no tokenizer, because "${source.name}" has none: llama.cpp cannot load it.`,
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
        else yield* rowsAsBytes(tensor, weights.get(name));
        done++;
        options.onProgress?.({ tensor: name, done, total: source.tensors.size });
      },
    };
  });
  const vectors = new Map<string, Float32Array>(form.vectors?.of(config));
  if (ropeFactors) vectors.set(ROPE_FACTORS_NAME, ropeFactors);
  for (const [name, values] of vectors) {
    tensors.push({
      name,
      dimensions: [values.length],
      type: formatByName("F32").gguf!.type,
      bytes: new Uint8Array(values.slice().buffer),
    });
  }
  return { metadata, tensors, notes };
}

/** Yields `source` as the bytes of a GGUF file, in order. Heads are reordered if the source has the other rotary convention. */
export async function* modelAsGguf(
  source: ModelSource,
  options: WriteOptions = {},
): AsyncGenerator<Uint8Array> {
  yield* writeGguf(ggufModel(source, options));
}

function formOf(config: ModelConfig): GgufForm<ModelConfig> {
  const { name, gguf, noGguf = "llama.cpp does not support this architecture" } = architectureOf(
    config,
  );
  if (gguf) return gguf;
  throw new RangeError(
    `Cannot write a model of architecture "${name}" as GGUF: ${noGguf}; write a folder instead`,
  );
}

function ggufType(tensor: TensorSource): number {
  const { name, format, columnOrder } = tensor;
  if (columnOrder) {
    throw new RangeError(
      `Cannot write tensor "${name}" as GGUF: its columns are reordered (GPTQ's desc_act), which GGUF cannot represent; write a folder instead`,
    );
  }
  if (!format.gguf) {
    throw new RangeError(
      `Cannot write tensor "${name}" as GGUF: the format ${format.name} is not one of GGUF's; write a folder instead`,
    );
  }
  return isNarrowVector(tensor) ? formatByName("F32").gguf!.type : format.gguf.type;
}

/** Whether a tensor must be widened: llama.cpp multiplies only by gains of type F32. Widening loses nothing. */
function isNarrowVector({ rows, format: { layout } }: TensorSource): boolean {
  return rows === 1 && (elementType(layout) ?? "f32") !== "f32";
}

async function vectorAsBytes(tensor: TensorSource): Promise<Uint8Array> {
  const values = decode(await tensor.read(0, 1));
  return formatByName("F32").pack(quantize(values, 1, tensor.columns, "F32"));
}

async function* rowsAsBytes(
  tensor: TensorSource,
  weight: Weight | undefined,
): AsyncGenerator<Uint8Array> {
  const heads = headsToReorder(weight ?? {}, true);
  const step = heads > 0 ? tensor.rows : rowsPerPiece(tensor);
  for (let first = 0; first < tensor.rows; first += step) {
    const packed = await tensor.read(first, Math.min(step, tensor.rows - first));
    yield tensor.format.pack(heads > 0 ? reorderHeads(packed, heads, true) : packed);
  }
}

function ggufMetadata(
  source: ModelSource,
  form: GgufForm<ModelConfig>,
  onNote: (sentence: string) => void,
): GgufEntries {
  const { config, header, tokenizerFiles } = source;
  const u32 = (value: number): GgufTyped => ({ type: "uint32", value });
  // The most common type of the tensors may have changed.
  if (header) return copiedMetadata(header, ["general.file_type"]);
  const metadata = new Map<string, GgufValue | GgufTyped>([
    ["general.architecture", config.architecture],
    ["general.name", source.name.split(/[\\/]/).at(-1) ?? "model"],
  ]);
  for (const [key, value] of Object.entries(form.write(config))) {
    metadata.set(`${config.architecture}.${key}`, value);
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
