/**
 * Names of parameters. Inside, and in ledgers, tensors have GGUF's names whatever file they come from, so that an offset's noise does
 * not depend on the file's format.
 *
 * @module
 */

const LAYER_NAMES: Readonly<Record<string, string>> = {
  "input_layernorm": "attn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "post_attention_layernorm": "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

const MODEL_NAMES: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  "lm_head": "output",
};

/** The GGUF name of a Hugging Face parameter without its suffix (`.weight`, `.codes` ...), or undefined when unknown. */
export function ggufName(huggingFaceName: string): string | undefined {
  const layer = /^model\.layers\.(\d+)\.(.+)$/.exec(huggingFaceName);
  if (!layer) return MODEL_NAMES[huggingFaceName];
  const name = LAYER_NAMES[layer[2]];
  return name === undefined ? undefined : `blk.${layer[1]}.${name}`;
}

/** The inverse of {@linkcode ggufName}. */
export function huggingFaceName(name: string): string | undefined {
  const layer = /^blk\.(\d+)\.(.+)$/.exec(name);
  if (!layer) return Object.keys(MODEL_NAMES).find((key) => MODEL_NAMES[key] === name);
  const key = Object.keys(LAYER_NAMES).find((k) => LAYER_NAMES[k] === layer[2]);
  return key === undefined ? undefined : `model.layers.${layer[1]}.${key}`;
}
