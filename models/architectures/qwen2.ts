/**
 * The Qwen2 architecture (Yang et al., arXiv 2407.10671; Qwen2 and Qwen2.5): Llama with biases on queries, keys and values. In GGUF files, the
 * elements of a rotated pair are half a head apart, as in folders.
 *
 * @module
 */

import type { Architecture, Weight } from "../architecture.ts";
import type { Fields } from "../config/config_keys.ts";
import { harmless, keysOf, read } from "../config/config_keys.ts";
import { ownCode } from "../config/shared_config_keys.ts";
import { llama, type LlamaConfig } from "./llama.ts";

const NAME = "qwen2";

function weights(c: LlamaConfig): Weight[] {
  return llama.weights(c).flatMap(({ rotary: _, ...weight }) => {
    if (!/\.attn_[qkv]\./.test(weight.name)) return [weight];
    const bias = (name: string) => name.replace(/weight$/, "bias");
    return [weight, {
      ...weight,
      name: bias(weight.name),
      huggingFace: bias(weight.huggingFace),
      rows: 1,
      columns: weight.rows,
      role: "bias",
    }];
  });
}

/** Applies the defaults of transformers' class. A value of null differs from a missing key: it means as many key-value heads as heads. */
function withDefaults(json: Fields): Fields {
  return {
    ...json,
    max_position_embeddings: json.max_position_embeddings ?? 32768,
    num_key_value_heads: json.num_key_value_heads === undefined ? 32 : json.num_key_value_heads,
    // If windows are enabled, layers from max_window_layers on have one.
    use_sliding_window: json.use_sliding_window ?? false,
    max_window_layers: json.max_window_layers ?? 28,
  };
}

/** The architecture. */
export const qwen2: Architecture<LlamaConfig> = {
  ...llama,
  name: NAME,
  weights,
  huggingFace: {
    ...llama.huggingFace,
    modelTypes: [NAME],
    classes: ["Qwen2"],
    keys: {
      ...llama.huggingFace.keys,
      ...keysOf(
        "attention_bias qkv_bias use_qkv_bias",
        harmless("in Qwen2, queries, keys and values always have biases"),
      ),
      max_window_layers: read(),
      auto_map: ownCode("Qwen2"),
    },
    read: (json, about) => ({
      ...llama.huggingFace.read(withDefaults(json), about),
      architecture: NAME,
    }),
    write: (c, ropeFactors) => ({
      ...llama.huggingFace.write(c, ropeFactors),
      architectures: ["Qwen2ForCausalLM"],
      model_type: NAME,
      use_sliding_window: c.slidingWindow !== undefined,
      ...c.slidingWindow !== undefined && { max_window_layers: c.slidingLayers?.[0] ?? 0 },
    }),
  },
  gguf: {
    ...llama.gguf!,
    read: (fields, tensors, about) => ({
      ...llama.gguf!.read(fields, tensors, about),
      architecture: NAME,
      ropeInterleaved: false,
    }),
  },
};
