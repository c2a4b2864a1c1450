/**
 * The configuration of a model from a Hugging Face `config.json`.
 *
 * @module
 */

import type { ModelConfig } from "../model_config.ts";
import { checkedConfig, positiveInteger, positiveNumber } from "./config_checks.ts";
import {
  checkKeys,
  exactly,
  type Fields,
  harmless,
  isEmpty,
  isObject,
  keysOf,
  type KeyTable,
  type Note,
  noted,
  only,
  read,
  shown,
} from "./config_keys.ts";
import { ropeSettings } from "./config_rope.ts";
import { contextWithin, slidingWindow } from "./sliding_window.ts";

const experts = "mixtures of experts are not read";
const images = "models of images or sound are not read, nor their text part";

/** Every key of `config.json` of model_type llama or mistral, and what becomes of it. */
export const CONFIG_KEYS: KeyTable = {
  ...keysOf(
    `model_type architectures hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim vocab_size
     max_position_embeddings rms_norm_eps rope_theta rope_scaling rope_parameters original_max_position_embeddings sliding_window layer_types
     max_window_layers quantization_config`,
    read(),
  ),
  ...keysOf("tie_word_embeddings use_sliding_window", read("boolean")),

  // Other models under the name of this one: fine where they do nothing.
  ...keysOf(
    "hidden_act hidden_activation activation_function",
    only(["silu", "swish"], "only silu is"),
  ),
  activation: only(["swiglu", "silu", "swish"], "only silu is"),
  ...keysOf(
    "attention_bias mlp_bias qkv_bias use_bias use_qkv_bias lm_head_bias attention_out_bias",
    only([], "biases in attention, feed-forward or head"),
  ),
  ...keysOf(
    "logit_scale logits_scaling residual_multiplier embedding_multiplier scale_emb scale_embedding residual_scale embedding_scale",
    only([1], "nothing is scaled between layers"),
  ),
  scale_depth: only([], "nothing is scaled between layers"),
  dim_model_base: only([], "logits are not scaled"),
  attention_multiplier: only(
    [],
    "products of attention are divided by the root of the head's width",
    (value, from) => isInverseRoot(value, headWidth(from)),
  ),
  query_pre_attn_scalar: only(
    [],
    "products of attention are divided by the root of the head's width",
    (value, from) => value === headWidth(from),
  ),
  ...keysOf(
    "clip_qkv final_logit_softcapping attn_logit_softcapping logit_softcapping",
    only([], "nothing is clipped"),
  ),
  ...keysOf("qk_norm use_qk_norm qk_layernorm", only([], "queries and keys are not normalised")),
  ...keysOf(
    "partial_rotary_factor rotary_pct rope_pct rope_percent",
    only([1], "only all of a head is rotated"),
  ),
  rotary_dim: only([], "only all of a head is rotated", (value, from) => value === headWidth(from)),
  ...keysOf(
    "rope_interleaved rope_interleave",
    only([], "folders have the pairs of a head half a head apart"),
  ),
  ...keysOf(
    "no_rope_layers no_rope_layer_interval nope_layer_interval",
    only([], "all layers rotate"),
  ),
  ...keysOf(
    "alibi parallel_attn use_parallel_residual new_decoder_architecture is_encoder_decoder add_cross_attention",
    only([], "another architecture"),
  ),
  ...keysOf("is_causal causal", exactly([true], "positions see only those before them")),
  ...keysOf("use_rope apply_rope rope", exactly([true], "all layers rotate")),
  ...keysOf(
    "gated_mlp use_gated_mlp use_glu use_swiglu",
    exactly([true], "the feed-forward layer is gated"),
  ),
  ...keysOf(
    "rms_norm use_rms_norm rmsnorm scale_attn_weights",
    exactly([true], "another architecture"),
  ),
  position_embedding_type: only(["rope", "rotary"], "only rotary positions are"),
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
    "a folder of MLX's quantised weights is not read; convert it to a plain one with mlx_lm.convert --dequantize",
  ),
  compression_config: only(
    [],
    "an older name of compressed-tensors' settings; rename it to quantization_config",
  ),
  transform_config: only([], "rotations outside quantization_config"),

  // Nothing of the result.
  ...keysOf(
    "transformers_version name_or_path tokenizer_class task_specific_params finetuning_task problem_type unsloth_fixed unsloth_version is_llama_config transformers.js_config",
    harmless("about the file"),
  ),
  ...keysOf("torch_dtype dtype use_bfloat16", harmless("tensors say their type")),
  ...keysOf(
    "attention_dropout hidden_dropout resid_pdrop embd_pdrop attn_pdrop hidden_dropout_prob attention_probs_dropout_prob classifier_dropout dropout neftune_noise_alpha gradient_checkpointing initializer_range initializer_factor",
    harmless("of training elsewhere"),
  ),
  ...keysOf(
    `use_cache attn_implementation use_flash_attention use_flash_attention_2 use_flash_attn use_sdpa use_kernels cache_implementation
     chunk_size_feed_forward torchscript tf_legacy_loss model_parallel tensor_parallel_degree tensor_parallel_output tp_plan base_model_tp_plan
     base_model_pp_plan fuse_norm fuse_cross_entropy fuse_swiglu use_fused_rms_norm`,
    harmless("how it is computed elsewhere, not what"),
  ),
  pretraining_tp: harmless("the same products, summed in slices"),
  ...keysOf(
    "output_hidden_states output_attentions output_scores output_router_logits return_dict return_dict_in_generate is_decoder",
    harmless("what a call returns"),
  ),
  ...keysOf(
    "num_experts_per_tok router_aux_loss_coef router_jitter_noise norm_topk_prob",
    harmless("asked only with experts"),
  ),
  ...keysOf(
    "id2label label2id num_labels",
    harmless("asked only of classifiers, which architectures names"),
  ),
  ...keysOf(
    `bos_token_id eos_token_id pad_token_id unk_token_id sep_token_id cls_token_id mask_token_id decoder_start_token_id eot_token_id
     eom_token_id end_token_id system_token_id user_token_id assistant_token_id bos_token eos_token
     pad_token prefix`,
    harmless("of the tokenizer and of generating"),
  ),
  ...keysOf(
    `max_length min_length max_new_tokens min_new_tokens do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k
     top_p min_p top_h typical_p epsilon_cutoff eta_cutoff repetition_penalty encoder_repetition_penalty length_penalty no_repeat_ngram_size
     encoder_no_repeat_ngram_size bad_words_ids num_return_sequences forced_bos_token_id forced_eos_token_id remove_invalid_values
     exponential_decay_length_penalty suppress_tokens begin_suppress_tokens renormalize_logits guidance_scale penalty_alpha max_time
     stop_strings watermarking_config generation_config dola_layers constraints sequence_bias prompt_lookup_num_tokens num_assistant_tokens`,
    harmless("of generating elsewhere"),
  ),
  ...keysOf(
    "model_max_length max_sequence_length max_seq_len max_seq_length seq_length seq_len n_ctx training_length original_vocab_size",
    harmless("max_position_embeddings and the tensors say it"),
  ),
  ...keysOf(
    "cross_attention_hidden_size tie_encoder_decoder sliding_window_pattern",
    harmless("of other architectures"),
  ),
  ...keysOf("layer_norm_eps layer_norm_epsilon", noted("rms_norm_eps is")),
  auto_map: noted("the folder's own code does not run; it is read as plain Llama"),
};

function headWidth(from: Fields): unknown {
  return from.head_dim ?? Number(from.hidden_size) / Number(from.num_attention_heads);
}

function isInverseRoot(value: unknown, width: unknown): boolean {
  return Math.abs(Number(value) * Math.sqrt(Number(width)) - 1) < 1e-6;
}

/**
 * The configuration in a Hugging Face `config.json`: `model_type` llama or mistral of transformers 4 or 5. Every key is read, known to change
 * nothing, or refused (see {@linkcode CONFIG_KEYS} and `docs/configuration-keys.md`).
 *
 * @param note Told what a user should know, such as a context limited to a sliding window
 * @throws {SyntaxError} For what is no object
 * @throws {RangeError} For another architecture, a value that is missing or out of range, and a key that is not known
 *
 * @example A small model
 * ```ts
 * import { configFromHuggingFace } from "@qzo/qzo/models";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const json = {
 *   model_type: "llama", hidden_size: 64, intermediate_size: 160, num_hidden_layers: 2,
 *   num_attention_heads: 4, vocab_size: 256, rms_norm_eps: 1e-5, max_position_embeddings: 128,
 * };
 * assertEquals(configFromHuggingFace(json).headDimension, 16);
 * assertThrows(() => configFromHuggingFace({ ...json, logit_scale: 0.5 }), RangeError, "logit_scale 0.5");
 * ```
 */
export function configFromHuggingFace(
  json: unknown,
  name = "config.json",
  note: Note = () => {},
): ModelConfig {
  if (!isObject(json)) throw new SyntaxError(`Cannot read "${name}": not a JSON object`);
  const what = `"${name}"`;
  const type = json.model_type;
  if (type !== "llama" && type !== "mistral") {
    throw new RangeError(
      `Cannot read ${what}: model_type ${shown(type)} is not supported, known are llama, mistral`,
    );
  }
  checkKeys(json, CONFIG_KEYS, { what, note });
  checkArchitectures(json.architectures, what, note);
  const hidden = positiveInteger(json, "hidden_size", what);
  const heads = positiveInteger(json, "num_attention_heads", what);
  const layers = positiveInteger(json, "num_hidden_layers", what);
  // Where a file has no key, its class's default holds.
  const mistral = type === "mistral";
  const longest = positiveInteger(json, "max_position_embeddings", what, mistral ? 131072 : 2048);
  const keyValueHeads = mistral && json.num_key_value_heads === undefined ? 8 : heads;
  const rope = ropeSettings(json, layers, what, note);
  return checkedConfig({
    architecture: "llama",
    hidden,
    layers,
    heads,
    keyValueHeads: positiveInteger(json, "num_key_value_heads", what, keyValueHeads),
    headDimension: positiveInteger(json, "head_dim", what, hidden / heads),
    feedForward: positiveInteger(json, "intermediate_size", what),
    vocabulary: positiveInteger(json, "vocab_size", what),
    context: contextWithin(slidingWindow(json, layers, what), longest, {
      key: "sliding_window",
      what,
      note,
    }),
    rmsEpsilon: positiveNumber(json, "rms_norm_eps", what, 1e-6),
    ropeTheta: rope.theta,
    ropeInterleaved: false,
    ropeScaling: rope.scaling,
    tiedHead: json.tie_word_embeddings === true,
  }, what);
}

/** Whether a `config.json` says that head and embedding are different tables. */
export function saysUntied(json: unknown): boolean {
  return isObject(json) && json.tie_word_embeddings === false;
}

const PLAIN = /^(llama|mistral)(ForCausalLM|Model)$/i;

function checkArchitectures(value: unknown, what: string, note: Note): void {
  if (isEmpty(value)) return;
  for (const name of Array.isArray(value) ? value : [value]) {
    if (typeof name === "string" && PLAIN.test(name)) continue;
    if (typeof name !== "string" || !/(ForCausalLM|LMHeadModel)$/.test(name)) {
      throw new RangeError(
        `Cannot read ${what}: architectures ${
          shown(value)
        } is not supported: only language models are (LlamaForCausalLM, MistralForCausalLM), no classifiers, reward models or others with a head of their own`,
      );
    }
    note(`${what}: architectures ${shown(value)} is read as plain Llama, as its model_type says`);
  }
}
