/**
 * How the keys of `config.json` are treated that mean the same for every architecture. The tables of architectures begin with these.
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
  noted,
  only,
  read,
} from "./config_keys.ts";

const experts = "mixtures of experts are not supported";
const images = "image and audio models are not supported, including their text part";

/** Keys with the same meaning, or no effect, whatever the `model_type`. */
export const SHARED_CONFIG_KEYS: KeyTable = {
  ...keysOf("model_type architectures quantization_config", read()),
  tie_word_embeddings: read("boolean"),

  // Keys of other models that use this model's name, accepted if they have no effect.
  ...keysOf(
    "logit_scale logits_scaling residual_multiplier embedding_multiplier scale_emb scale_embedding residual_scale embedding_scale",
    only([1], "nothing is scaled between layers"),
  ),
  scale_depth: only([], "nothing is scaled between layers"),
  dim_model_base: only([], "logits are not scaled"),
  attention_multiplier: only(
    [],
    "attention scores are divided by the square root of the head dimension",
    (value, from) => isInverseRoot(value, headWidth(from)),
  ),
  query_pre_attn_scalar: only(
    [],
    "attention scores are divided by the square root of the head dimension",
    (value, from) => value === headWidth(from),
  ),
  ...keysOf(
    "clip_qkv final_logit_softcapping attn_logit_softcapping logit_softcapping",
    only([], "nothing is clipped"),
  ),
  ...keysOf("qk_norm use_qk_norm qk_layernorm", only([], "queries and keys are not normalised")),
  ...keysOf(
    "alibi parallel_attn use_parallel_residual new_decoder_architecture is_encoder_decoder add_cross_attention",
    only([], "another architecture"),
  ),
  ...keysOf("is_causal causal", exactly([true], "tokens attend only to earlier tokens")),
  scale_attn_weights: exactly([true], "another architecture"),
  pruned_heads: only([], "all layers have the same heads"),
  per_layer_config: only([], "all layers have the same configuration"),
  ...keysOf(
    "num_experts num_local_experts n_routed_experts n_shared_experts moe_num_experts num_experts_shared",
    only([0], experts),
  ),
  moe_intermediate_size: only([0], experts),
  ...keysOf(
    `vision_config text_config audio_config speech_config mm_vision_tower mm_projector_type mm_hidden_size vision_tower image_token_index
     image_token_id video_token_id audio_token_index audio_token_id`,
    only([], images),
  ),
  quantization: only(
    [],
    "folders with weights quantised by MLX are not supported; convert them with mlx_lm.convert --dequantize",
  ),
  compression_config: only(
    [],
    "an older name of compressed-tensors' settings; rename it to quantization_config",
  ),
  transform_config: only([], "rotations outside quantization_config"),

  // Keys that do not affect the result.
  ...keysOf(
    "transformers_version name_or_path tokenizer_class task_specific_params finetuning_task problem_type unsloth_fixed unsloth_version transformers.js_config",
    harmless("describes the file"),
  ),
  ...keysOf("torch_dtype dtype use_bfloat16", harmless("the tensors state their types")),
  ...keysOf(
    "attention_dropout hidden_dropout resid_pdrop embd_pdrop attn_pdrop hidden_dropout_prob attention_probs_dropout_prob classifier_dropout dropout neftune_noise_alpha gradient_checkpointing initializer_range initializer_factor",
    harmless("used only in training by other programs"),
  ),
  ...keysOf(
    `use_cache attn_implementation use_flash_attention use_flash_attention_2 use_flash_attn use_sdpa use_kernels cache_implementation
     chunk_size_feed_forward torchscript tf_legacy_loss model_parallel tensor_parallel_degree tensor_parallel_output tp_plan base_model_tp_plan
     base_model_pp_plan fuse_norm fuse_cross_entropy fuse_swiglu use_fused_rms_norm`,
    harmless("affects how other programs compute, not what"),
  ),
  pretraining_tp: harmless("the same products, summed in slices"),
  ...keysOf(
    "output_hidden_states output_attentions output_scores output_router_logits return_dict return_dict_in_generate is_decoder",
    harmless("affects what a call returns"),
  ),
  ...keysOf(
    "num_experts_per_tok router_aux_loss_coef router_jitter_noise norm_topk_prob",
    harmless("used only with experts"),
  ),
  ...keysOf(
    "id2label label2id num_labels",
    harmless("used only by classifiers, which `architectures` would show"),
  ),
  ...keysOf(
    `bos_token_id eos_token_id pad_token_id unk_token_id sep_token_id cls_token_id mask_token_id decoder_start_token_id eot_token_id
     eom_token_id end_token_id system_token_id user_token_id assistant_token_id bos_token eos_token
     pad_token prefix`,
    harmless("about the tokenizer or generation"),
  ),
  ...keysOf(
    `max_length min_length max_new_tokens min_new_tokens do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k
     top_p min_p top_h typical_p epsilon_cutoff eta_cutoff repetition_penalty encoder_repetition_penalty length_penalty no_repeat_ngram_size
     encoder_no_repeat_ngram_size bad_words_ids num_return_sequences forced_bos_token_id forced_eos_token_id remove_invalid_values
     exponential_decay_length_penalty suppress_tokens begin_suppress_tokens renormalize_logits guidance_scale penalty_alpha max_time
     stop_strings watermarking_config generation_config dola_layers constraints sequence_bias prompt_lookup_num_tokens num_assistant_tokens`,
    harmless("about generation by other programs"),
  ),
  ...keysOf(
    "model_max_length max_sequence_length max_seq_len max_seq_length seq_length seq_len n_ctx training_length original_vocab_size",
    harmless("max_position_embeddings and the tensors give it"),
  ),
  ...keysOf(
    "cross_attention_hidden_size tie_encoder_decoder sliding_window_pattern",
    harmless("used by other architectures"),
  ),
};

/** The rule of `auto_map`. @param title Usual name of the architecture. */
export function ownCode(title: string): KeyRule {
  return noted(`the folder's own code is not run; it is read as plain ${title}`);
}

/** The width of a head according to `config.json`. */
export function headWidth(from: Fields): unknown {
  return from.head_dim ?? Number(from.hidden_size) / Number(from.num_attention_heads);
}

function isInverseRoot(value: unknown, width: unknown): boolean {
  return Math.abs(Number(value) * Math.sqrt(Number(width)) - 1) < 1e-6;
}
