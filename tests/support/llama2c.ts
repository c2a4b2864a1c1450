/**
 * Readers of Karpathy's llama2.c: `.bin` checkpoints (version 0) and their tokenizers.
 *
 * @module
 */
import type { LlamaShape } from "../reference/llama.ts";

/** A checkpoint as the f64 oracle takes it. */
export interface Checkpoint {
  readonly shape: LlamaShape;
  readonly weights: Readonly<Record<string, Float32Array>>;
}

/** Reads a version 0 checkpoint: seven int32, then f32 tensors, one kind after the other over all layers. */
export function readLlama2c(bytes: Uint8Array<ArrayBuffer>): Checkpoint {
  const [hidden, feedForward, layers, heads, kvHeads, signedVocabulary, context] = new Int32Array(
    bytes.buffer,
    bytes.byteOffset,
    7,
  );
  const vocabulary = Math.abs(signedVocabulary);
  const kvWidth = hidden / heads * kvHeads;
  const weights: Record<string, Float32Array> = {};
  let at = bytes.byteOffset + 28;
  const take = (size: number): Float32Array => {
    const taken = new Float32Array(bytes.buffer, at, size);
    at += 4 * size;
    return taken;
  };
  const takeLayers = (name: string, size: number): void => {
    for (let layer = 0; layer < layers; layer++) {
      weights[`model.layers.${layer}.${name}.weight`] = take(size);
    }
  };
  weights["model.embed_tokens.weight"] = take(vocabulary * hidden);
  takeLayers("input_layernorm", hidden);
  takeLayers("self_attn.q_proj", hidden * hidden);
  takeLayers("self_attn.k_proj", kvWidth * hidden);
  takeLayers("self_attn.v_proj", kvWidth * hidden);
  takeLayers("self_attn.o_proj", hidden * hidden);
  takeLayers("post_attention_layernorm", hidden);
  takeLayers("mlp.gate_proj", feedForward * hidden);
  takeLayers("mlp.down_proj", hidden * feedForward);
  takeLayers("mlp.up_proj", feedForward * hidden);
  weights["model.norm.weight"] = take(hidden);
  take(context * hidden / heads); // RoPE tables of old versions: cos and sin, half a head each
  if (signedVocabulary < 0) weights["lm_head.weight"] = take(vocabulary * hidden);
  return {
    shape: {
      hidden,
      layers,
      feedForward,
      heads,
      kvHeads,
      vocabulary,
      epsilon: 1e-5,
      ropeBase: 10000,
      rope: "norm",
    },
    weights,
  };
}

/** Reads a llama2.c tokenizer file of `vocabulary` pieces and returns its encoder (BOS first). */
export function readLlama2cTokenizer(
  bytes: Uint8Array<ArrayBuffer>,
  vocabulary: number,
): (text: string) => number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const decoder = new TextDecoder();
  const scores: number[] = [];
  const pieces: string[] = [];
  const ids = new Map<string, number>();
  for (let at = 4, id = 0; id < vocabulary; id++) {
    const length = view.getInt32(at + 4, true);
    scores.push(view.getFloat32(at, true));
    pieces.push(decoder.decode(bytes.subarray(at + 8, at + 8 + length)));
    ids.set(pieces[id], id);
    at += 8 + length;
  }
  return (text) => {
    const tokens = [1];
    for (const character of " " + text) {
      const id = ids.get(character);
      if (id !== undefined) tokens.push(id);
      else for (const byte of new TextEncoder().encode(character)) tokens.push(byte + 3);
    }
    while (true) {
      let best = -1;
      let merged = -1;
      for (let i = 1; i + 1 < tokens.length; i++) {
        const id = ids.get(pieces[tokens[i]] + pieces[tokens[i + 1]]);
        if (id !== undefined && (best < 0 || scores[id] > scores[merged])) [best, merged] = [i, id];
      }
      if (best < 0) return tokens;
      tokens.splice(best, 2, merged);
    }
  };
}
