/**
 * A GGUF version 3 writer, only as wide as the tests need it and independent of the library's, so that it can judge the
 * library's reader.
 *
 * @module
 */
import { ggufName, type LlamaShape, type NamedWeights } from "../reference/llama.ts";

/** A metadata value: the kind says how it is stored. */
export type GgufValue =
  | { readonly kind: "u32" | "f32"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "f32s" | "i32s"; readonly value: readonly number[] };

/** A tensor: `dimensions` are GGUF's, fastest first; `type` is GGML's number (0: F32). */
export interface GgufTensor {
  readonly dimensions: readonly number[];
  readonly type: number;
  readonly bytes: Uint8Array;
}

const alignment = 32;

/** Appends little-endian values. */
class Writer {
  readonly bytes: number[] = [];
  number(width: 4 | 8, value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value), true);
    for (let i = 0; i < width; i++) this.bytes.push(view.getUint8(i));
  }
  float(value: number): void {
    this.bytes.push(...new Uint8Array(new Float32Array([value]).buffer));
  }
  string(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.number(8, bytes.length);
    for (const byte of bytes) this.bytes.push(byte);
  }
  value(value: GgufValue): void {
    switch (value.kind) {
      case "u32":
        this.number(4, 4);
        return this.number(4, value.value);
      case "f32":
        this.number(4, 6);
        return this.float(value.value);
      case "string":
        this.number(4, 8);
        return this.string(value.value);
      case "strings":
        this.array(8, value.value.length);
        return value.value.forEach((item) => this.string(item));
      case "f32s":
        this.array(6, value.value.length);
        return value.value.forEach((item) => this.float(item));
      case "i32s":
        this.array(5, value.value.length);
        return value.value.forEach((item) => this.number(4, item));
    }
  }
  array(type: number, length: number): void {
    this.number(4, 9);
    this.number(4, type);
    this.number(8, length);
  }
  pad(): void {
    while (this.bytes.length % alignment) this.bytes.push(0);
  }
}

/** The bytes of a GGUF file. */
export function ggufBytes(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: Readonly<Record<string, GgufTensor>>,
): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.number(4, 0x46554747);
  writer.number(4, 3);
  writer.number(8, Object.keys(tensors).length);
  writer.number(8, Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    writer.string(key);
    writer.value(value);
  }
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    writer.string(name);
    writer.number(4, tensor.dimensions.length);
    tensor.dimensions.forEach((dimension) => writer.number(8, dimension));
    writer.number(4, tensor.type);
    writer.number(8, offset);
    offset += Math.ceil(tensor.bytes.length / alignment) * alignment;
  }
  writer.pad();
  const file = new Uint8Array(writer.bytes.length + offset);
  file.set(writer.bytes);
  let at = writer.bytes.length;
  for (const { bytes } of Object.values(tensors)) {
    file.set(bytes, at);
    at += Math.ceil(bytes.length / alignment) * alignment;
  }
  return file;
}

/** An F32 tensor of the given dimensions (fastest first). */
export function f32Tensor(values: ArrayLike<number>, dimensions: readonly number[]): GgufTensor {
  return { dimensions, type: 0, bytes: new Uint8Array(new Float32Array(values).buffer) };
}

/**
 * Metadata of a llama-architecture GGUF with a made-up vocabulary `<unk> <s> </s>`, 256 byte tokens, `t259 t260 ...`.
 *
 * @throws {RangeError} when the vocabulary has no room for the byte tokens that llama.cpp insists on.
 */
export function llamaMetadata(shape: LlamaShape, context = 512): Record<string, GgufValue> {
  if (shape.vocabulary < 259) {
    throw new RangeError(`Cannot name a vocabulary of ${shape.vocabulary}: 259 at least`);
  }
  const byteName = (i: number): string =>
    `<0x${(i - 3).toString(16).toUpperCase().padStart(2, "0")}>`;
  const ids = Array.from({ length: shape.vocabulary }, (_, i) => i);
  const u32 = (value: number): GgufValue => ({ kind: "u32", value });
  const f32 = (value: number): GgufValue => ({ kind: "f32", value });
  return {
    "general.architecture": { kind: "string", value: "llama" },
    "general.name": { kind: "string", value: "test" },
    "llama.context_length": u32(context),
    "llama.embedding_length": u32(shape.hidden),
    "llama.block_count": u32(shape.layers),
    "llama.feed_forward_length": u32(shape.feedForward),
    "llama.attention.head_count": u32(shape.heads),
    "llama.attention.head_count_kv": u32(shape.kvHeads),
    "llama.attention.layer_norm_rms_epsilon": f32(shape.epsilon),
    "llama.rope.dimension_count": u32(shape.headSize ?? shape.hidden / shape.heads),
    "llama.rope.freq_base": f32(shape.ropeBase),
    "llama.vocab_size": u32(shape.vocabulary),
    "tokenizer.ggml.model": { kind: "string", value: "llama" },
    "tokenizer.ggml.tokens": {
      kind: "strings",
      value: ids.map((i) => ["<unk>", "<s>", "</s>"][i] ?? (i < 259 ? byteName(i) : `t${i}`)),
    },
    "tokenizer.ggml.scores": { kind: "f32s", value: ids.map((i) => -i) },
    "tokenizer.ggml.token_type": {
      kind: "i32s",
      value: ids.map((i) => [2, 3, 3][i] ?? (i < 259 ? 6 : 1)),
    },
    "tokenizer.ggml.bos_token_id": u32(1),
    "tokenizer.ggml.eos_token_id": u32(2),
    "tokenizer.ggml.unknown_token_id": u32(0),
  };
}

/** Hugging Face or GGUF names and dense weights to F32 GGUF tensors; rows must already be in the "norm" convention. */
export function llamaF32Tensors(
  shape: LlamaShape,
  weights: NamedWeights,
): Record<string, GgufTensor> {
  const tensors: Record<string, GgufTensor> = {};
  const heads = shape.heads * (shape.headSize ?? shape.hidden / shape.heads);
  for (const [name, values] of Object.entries(weights)) {
    const gguf = name.startsWith("model.") || name.startsWith("lm_head") ? ggufName(name) : name;
    const inputs = gguf.includes("attn_output")
      ? heads
      : gguf.includes("ffn_down")
      ? shape.feedForward
      : shape.hidden;
    const vector = gguf.includes("norm") || gguf.endsWith(".bias");
    tensors[gguf] = f32Tensor(values, vector ? [values.length] : [inputs, values.length / inputs]);
  }
  return tensors;
}
