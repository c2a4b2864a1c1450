/**
 * `config.json` of a small model of every `model_type` that is read, for `writeRandomFolder`: heads that share keys, widths that are whole groups
 * of 32, a vocabulary with room for llama.cpp's bytes.
 *
 * @module
 */

type Config = Readonly<Record<string, unknown>>;

const shared = {
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  vocab_size: 272,
  max_position_embeddings: 64,
};

const rotary = {
  ...shared,
  num_key_value_heads: 2,
  rope_theta: 10000,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
};

const gemma = {
  ...rotary,
  tie_word_embeddings: true,
  head_dim: 24,
  hidden_activation: "gelu_pytorch_tanh",
  query_pre_attn_scalar: 24,
  sliding_window: 6,
  layer_types: ["sliding_attention", "full_attention"],
};

const encoder = { ...shared, hidden_act: "gelu", tie_word_embeddings: true };
const roberta = { ...encoder, type_vocab_size: 1, pad_token_id: 1, layer_norm_eps: 1e-5 };

/** By `model_type`. */
export const SMALL_CONFIGS: Readonly<Record<string, Config>> = Object.fromEntries(
  Object.entries<Config>({
    llama: {
      ...rotary,
      architectures: ["LlamaForCausalLM"],
      rope_scaling: {
        rope_type: "llama3",
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 32,
      },
    },
    mistral: { ...rotary, architectures: ["MistralForCausalLM"], sliding_window: 6 },
    qwen2: {
      ...rotary,
      architectures: ["Qwen2ForCausalLM"],
      use_sliding_window: true,
      sliding_window: 6,
      max_window_layers: 1,
    },
    qwen3: { ...rotary, architectures: ["Qwen3ForCausalLM"], head_dim: 24 },
    gemma2: {
      ...gemma,
      architectures: ["Gemma2ForCausalLM"],
      attn_logit_softcapping: 49.5,
      final_logit_softcapping: 29.5,
    },
    gemma3_text: {
      ...gemma,
      architectures: ["Gemma3ForCausalLM"],
      rope_theta: 1e6,
      rope_local_base_freq: 10000,
    },
    phi3: {
      ...rotary,
      architectures: ["Phi3ForCausalLM"],
      partial_rotary_factor: 0.75,
      pad_token_id: 0,
      original_max_position_embeddings: 64,
      sliding_window: null,
    },
    opt: {
      ...shared,
      architectures: ["OPTForCausalLM"],
      ffn_dim: 96,
      intermediate_size: undefined,
      word_embed_proj_dim: 96,
      activation_function: "relu",
      do_layer_norm_before: false,
    },
    gpt2: {
      architectures: ["GPT2LMHeadModel"],
      n_embd: 64,
      n_layer: 2,
      n_head: 4,
      n_positions: 64,
      vocab_size: 272,
      activation_function: "gelu_new",
    },
    roberta: { ...roberta, architectures: ["RobertaForMaskedLM"] },
    "xlm-roberta": { ...roberta, architectures: ["XLMRobertaForMaskedLM"] },
    camembert: { ...roberta, architectures: ["CamembertForMaskedLM"] },
    bert: { ...encoder, architectures: ["BertForMaskedLM"], type_vocab_size: 2, pad_token_id: 0 },
  }).map(([model_type, keys]) => [model_type, { model_type, ...keys }]),
);

const yarn = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16 };
const factors = [1, 1.25, 1.5, 2, 2.5, 3, 3.5, 4];

/** What the same `model_type` computes otherwise by its keys. */
export const SMALL_VARIANTS: Readonly<Record<string, Config>> = {
  "llama, YaRN": { ...SMALL_CONFIGS.llama, rope_scaling: yarn },
  "llama, linear": { ...SMALL_CONFIGS.llama, rope_scaling: { rope_type: "linear", factor: 4 } },
  "llama, wide heads": { ...SMALL_CONFIGS.llama, head_dim: 32, rope_scaling: undefined },
  "mistral, no window": { ...SMALL_CONFIGS.mistral, sliding_window: null },
  "qwen3, windows": {
    ...SMALL_CONFIGS.qwen3,
    use_sliding_window: true,
    sliding_window: 6,
    max_window_layers: 1,
  },
  "gemma2, no bounds": {
    ...SMALL_CONFIGS.gemma2,
    attn_logit_softcapping: null,
    final_logit_softcapping: null,
    query_pre_attn_scalar: 48,
  },
  "gemma3_text, scaled": {
    ...SMALL_CONFIGS.gemma3_text,
    rope_scaling: { rope_type: "linear", factor: 8 },
  },
  "phi3, longrope": {
    ...SMALL_CONFIGS.phi3,
    partial_rotary_factor: undefined,
    max_position_embeddings: 128,
    original_max_position_embeddings: 32,
    rope_scaling: {
      type: "longrope",
      short_factor: factors,
      long_factor: factors.map((it) => 4 * it),
    },
    sliding_window: 6,
  },
  "opt, norms before": {
    ...SMALL_CONFIGS.opt,
    word_embed_proj_dim: 64,
    do_layer_norm_before: true,
    activation_function: "gelu",
  },
  "opt, no biases": { ...SMALL_CONFIGS.opt, word_embed_proj_dim: 64, enable_bias: false },
  "gpt2, own head": { ...SMALL_CONFIGS.gpt2, tie_word_embeddings: false, n_inner: 96 },
};
