/**
 * How the keys under an architecture's prefix in GGUF metadata are treated that mean the same for every architecture. The tables of architectures
 * begin with these.
 *
 * @module
 */

import {
  exactly,
  type Fields,
  harmless,
  type KeyRule,
  keysOf,
  type KeyTable,
  only,
} from "./config_keys.ts";

/** Rule for a key that marks a file as one of another architecture. */
export const another: KeyRule = only(
  [0],
  "another architecture",
  (value) => Array.isArray(value) && value.every((it) => it === 0 || it === false),
);

/**
 * Keys with the same meaning, or no effect, whatever the `general.architecture`. Together with those of Llama, these are all keys that llama.cpp
 * knows.
 */
export const SHARED_GGUF_KEYS: KeyTable = {
  vocab_size: harmless("the rows of token_embd.weight give it"),
  use_parallel_residual: another,
  "attention.causal": exactly([true, 1], "tokens attend only to earlier tokens"),
  "attention.clamp_kqv": only([0], "nothing is clipped"),
  "attention.scale": only(
    [0],
    "attention scores are divided by the square root of the head dimension",
    (value, from) => Math.abs(Number(value) * Math.sqrt(Number(widthOf(from))) - 1) < 1e-6,
  ),
  ...keysOf(
    "logit_scale residual_scale embedding_scale attention.output_scale attention.value_scale",
    only([0, 1], "nothing is scaled between layers"),
  ),
  ...keysOf(
    "attn_logit_softcapping final_logit_softcapping router_logit_softcapping swiglu_clamp_exp swiglu_clamp_shexp",
    only([0], "nothing is clipped"),
  ),
  embedding_length_out: only(
    [0],
    "another architecture",
    (value, from) => value === from.embedding_length,
  ),
  pooling_type: only([0, 1, 2, 3], "rerankers are not supported"),
  "classifier.output_labels": only([], "classifiers are not supported"),
  ...keysOf(
    "expert_count expert_used_count expert_shared_count expert_group_count",
    only([0], "mixtures of experts are not supported"),
  ),
  ...keysOf(
    "expert_weights_scale expert_weights_norm expert_gating_func expert_group_scale expert_group_used_count experts_per_group expert_feed_forward_length expert_shared_feed_forward_length expert_chunk_feed_forward_length",
    harmless("used only with experts"),
  ),
  // Keys that llama.cpp reads for other architectures. 0 means that the feature is absent.
  ...keysOf(
    `embedding_length_per_layer_input features_length leading_dense_block_count moe_every_n_layers moe_latent_size nextn_predict_layers
     n_deepstack_layers deepstack_mapping decoder_start_token_id decoder_block_count swin_norm rescale_every_n_layers time_mix_extra_dim
     time_decay_extra_dim token_shift_count interleave_moe_layer_step full_attention_interval attention.group_norm_epsilon
     attention.group_norm_groups attention.q_lora_rank attention.kv_lora_rank attention.decay_lora_rank attention.iclr_lora_rank
     attention.value_residual_mix_lora_rank attention.gate_lora_rank attention.relative_buckets_count attention.temperature_length
     attention.temperature_scale attention.key_length_mla attention.value_length_mla attention.indexer.head_count attention.indexer.key_length
     attention.indexer.top_k attention.output_group_count attention.output_lora_rank attention.compress_rope_freq_base
     attention.compress_ratios attention.shared_kv_layers attention.recurrent_layers hyper_connection.count
     hyper_connection.sinkhorn_iterations hyper_connection.epsilon hash_layer_count ssm.conv_kernel ssm.inner_size ssm.state_size
     ssm.time_step_rank ssm.group_count ssm.dt_b_c_rms kda.head_dim wkv.head_size posnet.embedding_length posnet.block_count
     convnext.embedding_length convnext.block_count target_layers target_hidden_size norm_before_residual shortconv.l_cache dense_2_feat_in
     dense_2_feat_out dense_3_feat_in dense_3_feat_out`,
    another,
  ),
};

function widthOf(from: Fields): unknown {
  return from["attention.key_length"] ??
    Number(from.embedding_length) / Number(from["attention.head_count"]);
}
