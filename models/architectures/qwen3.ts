/**
 * The Qwen3 architecture (Yang et al., arXiv 2505.09388): Llama with every head of queries and keys normalised before rotation, and a head width
 * independent of the hidden size. In GGUF files, the elements of a rotated pair are half a head apart, as in folders.
 *
 * @module
 */

import type { Architecture, Weight } from "../architecture.ts";
import type { Fields } from "../config/config_keys.ts";
import { exactly, keysOf } from "../config/config_keys.ts";
import { ownCode } from "../config/shared_config_keys.ts";
import { llama, llamaBlock, type LlamaConfig } from "./llama.ts";
import { qwen2 } from "./qwen2.ts";

const NAME = "qwen3";

function weights(c: LlamaConfig): Weight[] {
  return llama.weights(c).flatMap(({ rotary: _, ...weight }) => {
    if (!/\.attn_[qk]\./.test(weight.name)) return [weight];
    return [weight, {
      ...weight,
      name: weight.name.replace(".weight", "_norm.weight"),
      huggingFace: weight.huggingFace.replace("_proj", "_norm"),
      rows: 1,
      columns: c.headDimension,
      role: "norm",
    }];
  });
}

/** Applies the defaults of transformers' class that differ from those of Qwen2. */
function withDefaults(json: Fields): Fields {
  return { ...json, head_dim: json.head_dim ?? 128 };
}

/** The architecture. */
export const qwen3: Architecture<LlamaConfig> = {
  ...llama,
  name: NAME,
  weights,
  block: (x, c, hidden, layer) =>
    llamaBlock(x, c, hidden, layer, (value, name, heads) =>
      x.norm(value, `${name}_norm`, {
        kind: "rms",
        width: c.headDimension,
        heads,
        epsilon: c.rmsEpsilon,
      })),
  huggingFace: {
    ...qwen2.huggingFace,
    modelTypes: [NAME],
    classes: ["Qwen3"],
    keys: {
      ...qwen2.huggingFace.keys,
      ...keysOf(
        "attention_bias qkv_bias use_qkv_bias",
        llama.huggingFace.keys.attention_bias,
      ),
      ...keysOf(
        "qk_norm use_qk_norm qk_layernorm",
        exactly([true], "in Qwen3, queries and keys are always normalised"),
      ),
      auto_map: ownCode("Qwen3"),
    },
    read: (json, about) => ({
      ...qwen2.huggingFace.read(withDefaults(json), about),
      architecture: NAME,
    }),
    write: (c, ropeFactors) => ({
      ...qwen2.huggingFace.write(c, ropeFactors),
      architectures: ["Qwen3ForCausalLM"],
      model_type: NAME,
    }),
  },
  gguf: {
    ...qwen2.gguf!,
    read: (fields, tensors, about) => ({
      ...qwen2.gguf!.read(fields, tensors, about),
      architecture: NAME,
    }),
  },
};
