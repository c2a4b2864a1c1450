/**
 * The small random bases of tests/fixtures/peft, by their `config.json`.
 *
 * @module
 */

const shared = {
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  vocab_size: 148,
  tie_word_embeddings: false,
  max_position_embeddings: 64,
};

const rotary = { ...shared, num_key_value_heads: 2, rope_theta: 10000.0, rms_norm_eps: 1e-5 };

/** By name of the fixture. */
export const peftBases: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  llama: { ...rotary, model_type: "llama", architectures: ["LlamaForCausalLM"] },
  opt: {
    ...shared,
    model_type: "opt",
    architectures: ["OPTForCausalLM"],
    ffn_dim: 96,
    word_embed_proj_dim: 64,
    intermediate_size: undefined,
    activation_function: "relu",
    do_layer_norm_before: true,
  },
  gpt2: {
    model_type: "gpt2",
    architectures: ["GPT2LMHeadModel"],
    n_embd: 64,
    n_layer: 2,
    n_head: 4,
    n_positions: 64,
    vocab_size: 148,
    activation_function: "gelu_new",
  },
  qwen2: { ...rotary, model_type: "qwen2", architectures: ["Qwen2ForCausalLM"] },
  qwen3: { ...rotary, model_type: "qwen3", architectures: ["Qwen3ForCausalLM"], head_dim: 24 },
  phi3: {
    ...rotary,
    model_type: "phi3",
    architectures: ["Phi3ForCausalLM"],
    pad_token_id: 0,
    bos_token_id: 1,
    eos_token_id: 2,
    original_max_position_embeddings: 64,
    sliding_window: null,
  },
};

/** Of tests/fixtures/peft_prompt, prefixes and prompts: those above that are there, and two more. */
export const promptBases: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  llama: peftBases.llama,
  opt: peftBases.opt,
  gpt2: peftBases.gpt2,
  qwen2: peftBases.qwen2,
  qwen3: peftBases.qwen3,
  roberta: {
    ...shared,
    model_type: "roberta",
    architectures: ["RobertaForMaskedLM"],
    tie_word_embeddings: true,
    hidden_act: "gelu",
    type_vocab_size: 1,
    pad_token_id: 1,
    layer_norm_eps: 1e-5,
  },
  gemma3: {
    ...rotary,
    model_type: "gemma3_text",
    architectures: ["Gemma3ForCausalLM"],
    tie_word_embeddings: true,
    head_dim: 24,
    hidden_activation: "gelu_pytorch_tanh",
    query_pre_attn_scalar: 24,
    sliding_window: 6,
    layer_types: ["sliding_attention", "full_attention"],
    rope_local_base_freq: 10000.0,
  },
};

/** Of tests/fixtures/peft: adapters by name, and the base that each is beside. */
export const peftCases: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ...Object.keys(peftBases),
    "roberta",
    ...["llama", "opt", "gpt2", "qwen2", "roberta"].map((base) => `ia3-${base}`),
    ...["opt", "qwen2", "roberta"].map((base) => `biases-${base}`),
    ...["llama", "gpt2", "gemma3"].map((base) => `modules-${base}`),
    "ia3-modules-opt",
  ].map((name) => [name, name.split("-").at(-1)!]),
);

/** The tokens that the logits of the fixtures are of; they have those of the last three. */
export const peftTokens: readonly number[] = [3, 141, 59, 26, 5, 35, 89, 79, 32, 38];
