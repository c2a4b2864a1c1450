// The tables of keys are complete: every key that the references know is in one of them, and ends as its rule says.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  checkKeys,
  entries,
  exactly,
  harmless,
  type KeyTable,
  nested,
  noted,
  only,
  read,
  shown,
} from "../../../models/config/config_keys.ts";
import { ARCHITECTURES } from "../../../models/architectures.ts";
import { ROPE_KEYS } from "../../../models/config/config_rope.ts";
import { gemma2 } from "../../../models/architectures/gemma2.ts";
import { gemma3 } from "../../../models/architectures/gemma3.ts";
import { gpt2 } from "../../../models/architectures/gpt2.ts";
import { llama } from "../../../models/architectures/llama.ts";
import { phi3 } from "../../../models/architectures/phi3.ts";
import { opt } from "../../../models/architectures/opt.ts";
import { bert, roberta } from "../../../models/architectures/roberta.ts";
import { qwen2 } from "../../../models/architectures/qwen2.ts";
import { qwen3 } from "../../../models/architectures/qwen3.ts";
import {
  DYNAMIC_KEYS,
  QUANTIZATION_KEYS,
} from "../../../models/checkpoints/hugging_face/quantization_keys.ts";
import { configurationKeysDocument } from "./configuration_keys_document.ts";

const CONFIG_KEYS = llama.huggingFace.keys;
const GGUF_KEYS = llama.gguf!.keys;

const words = (text: string): string[] => text.trim().split(/\s+/);

/** The table of an object in a table. */
function within(table: KeyTable, ...path: string[]): KeyTable {
  return path.reduce((at, key) => {
    const rule = at[key];
    assert(rule.kind === "nested", key);
    return rule.table;
  }, table);
}

const { gptq, awq, hqq, aqlm, bitsandbytes, torchao, "compressed-tensors": compressed } =
  QUANTIZATION_KEYS;

/** Keys by where they are from, and the table that has to have them. */
const REFERENCES: Record<string, [KeyTable, string]> = {
  // ggml-org/llama.cpp, src/llama-arch.cpp at 00395eb285c7: every name of LLM_KV_NAMES that begins with "%s.".
  "llama.cpp, LLM_KV_NAMES": [
    GGUF_KEYS,
    `vocab_size context_length embedding_length embedding_length_out embedding_length_per_layer_input features_length block_count
     leading_dense_block_count feed_forward_length expert_feed_forward_length expert_shared_feed_forward_length
     expert_chunk_feed_forward_length swiglu_clamp_exp swiglu_clamp_shexp use_parallel_residual tensor_data_layout expert_count
     expert_used_count expert_shared_count expert_group_count expert_group_used_count expert_weights_scale expert_weights_norm
     expert_gating_func expert_group_scale experts_per_group moe_every_n_layers moe_latent_size nextn_predict_layers n_deepstack_layers
     deepstack_mapping hidden_activation pooling_type logit_scale decoder_start_token_id decoder_block_count attn_logit_softcapping
     router_logit_softcapping final_logit_softcapping swin_norm rescale_every_n_layers time_mix_extra_dim time_decay_extra_dim
     residual_scale embedding_scale token_shift_count interleave_moe_layer_step full_attention_interval attention.head_count
     attention.head_count_kv attention.max_alibi_bias attention.clamp_kqv attention.key_length attention.value_length
     attention.layer_norm_epsilon attention.layer_norm_rms_epsilon attention.group_norm_epsilon attention.group_norm_groups
     attention.causal attention.q_lora_rank attention.kv_lora_rank attention.decay_lora_rank attention.iclr_lora_rank
     attention.value_residual_mix_lora_rank attention.gate_lora_rank attention.relative_buckets_count attention.sliding_window
     attention.sliding_window_pattern attention.scale attention.output_scale attention.value_scale attention.temperature_length
     attention.temperature_scale attention.key_length_mla attention.value_length_mla attention.key_length_swa attention.value_length_swa
     attention.indexer.head_count attention.indexer.key_length attention.indexer.top_k attention.output_group_count
     attention.output_lora_rank attention.compress_rope_freq_base attention.compress_ratios attention.shared_kv_layers
     attention.recurrent_layers hyper_connection.count hyper_connection.sinkhorn_iterations hyper_connection.epsilon hash_layer_count
     rope.dimension_count rope.dimension_count_swa rope.dimension_sections rope.freq_base rope.freq_base_swa rope.scale_linear
     rope.scaling.type rope.scaling.factor rope.scaling.alpha rope.scaling.attn_factor rope.scaling.original_context_length
     rope.scaling.finetuned rope.scaling.yarn_log_multiplier rope.scaling.yarn_ext_factor rope.scaling.yarn_attn_factor
     rope.scaling.yarn_beta_fast rope.scaling.yarn_beta_slow ssm.conv_kernel ssm.inner_size ssm.state_size ssm.time_step_rank
     ssm.group_count ssm.dt_b_c_rms kda.head_dim wkv.head_size posnet.embedding_length posnet.block_count convnext.embedding_length
     convnext.block_count classifier.output_labels target_layers target_hidden_size norm_before_residual shortconv.l_cache
     dense_2_feat_in dense_2_feat_out dense_3_feat_in dense_3_feat_out`,
  ],
  // huggingface/transformers, models/llama/configuration_llama.py: v4.46 and v5 (008e57439125).
  "LlamaConfig": [
    CONFIG_KEYS,
    `vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads hidden_act
     max_position_embeddings initializer_range rms_norm_eps use_cache pad_token_id bos_token_id eos_token_id pretraining_tp
     tie_word_embeddings rope_theta rope_scaling rope_parameters attention_bias attention_dropout mlp_bias head_dim`,
  ],
  // models/mistral/configuration_mistral.py: v4.46 and v5 (001f85b38fb4).
  "MistralConfig": [
    CONFIG_KEYS,
    `vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim hidden_act
     max_position_embeddings initializer_range rms_norm_eps use_cache pad_token_id bos_token_id eos_token_id tie_word_embeddings
     rope_theta rope_scaling rope_parameters sliding_window attention_dropout layer_types`,
  ],
  // models/gpt2/configuration_gpt2.py: v4.57 and v5.
  "GPT2Config": [
    gpt2.huggingFace.keys,
    `vocab_size n_positions n_embd n_layer n_head n_inner activation_function resid_pdrop embd_pdrop attn_pdrop layer_norm_epsilon
     initializer_range summary_type summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout scale_attn_weights
     use_cache bos_token_id eos_token_id scale_attn_by_inverse_layer_idx reorder_and_upcast_attn add_cross_attention tie_word_embeddings
     n_ctx task_specific_params`,
  ],
  // models/opt/configuration_opt.py: v4.57 and v5, and what facebook/opt-* and Galactica write besides.
  "OPTConfig": [
    opt.huggingFace.keys,
    `vocab_size hidden_size num_hidden_layers ffn_dim max_position_embeddings do_layer_norm_before _remove_final_layer_norm
     word_embed_proj_dim dropout attention_dropout num_attention_heads activation_function layerdrop init_std use_cache pad_token_id
     bos_token_id eos_token_id enable_bias layer_norm_elementwise_affine tie_word_embeddings activation_dropout prefix learned_embeddings
     scale_embeddings torch_dtype transformers_version architectures model_type quantization_config`,
  ],
  // models/gemma2/configuration_gemma2.py: v4.57 and v5, and what google/gemma-2-* write besides.
  "Gemma2Config": [
    gemma2.huggingFace.keys,
    `vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim hidden_activation
     max_position_embeddings initializer_range rms_norm_eps use_cache pad_token_id eos_token_id bos_token_id tie_word_embeddings rope_theta
     rope_scaling rope_parameters attention_bias attention_dropout query_pre_attn_scalar sliding_window layer_types
     final_logit_softcapping attn_logit_softcapping use_bidirectional_attention hidden_act cache_implementation`,
  ],
  // models/gemma3/configuration_gemma3.py, Gemma3TextConfig: v4.57 and v5.
  "Gemma3TextConfig": [
    gemma3.huggingFace.keys,
    `vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim hidden_activation
     max_position_embeddings initializer_range rms_norm_eps use_cache pad_token_id eos_token_id bos_token_id tie_word_embeddings rope_theta
     rope_scaling rope_parameters rope_local_base_freq attention_bias attention_dropout query_pre_attn_scalar sliding_window
     sliding_window_pattern layer_types final_logit_softcapping attn_logit_softcapping use_bidirectional_attention cache_implementation`,
  ],
  // models/roberta/configuration_roberta.py: v4.57 and v5, and what published models write besides.
  "RobertaConfig": [
    roberta.huggingFace.keys,
    `vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act hidden_dropout_prob
     attention_probs_dropout_prob max_position_embeddings type_vocab_size initializer_range layer_norm_eps pad_token_id bos_token_id
     eos_token_id position_embedding_type use_cache classifier_dropout is_decoder add_cross_attention tie_word_embeddings output_past
     gradient_checkpointing architectures model_type`,
  ],
  // models/bert/configuration_bert.py: v4.57 and v5, and what published models write besides.
  "BertConfig": [
    bert.huggingFace.keys,
    `vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act hidden_dropout_prob
     attention_probs_dropout_prob max_position_embeddings type_vocab_size initializer_range layer_norm_eps pad_token_id
     position_embedding_type use_cache classifier_dropout is_decoder add_cross_attention bos_token_id eos_token_id tie_word_embeddings
     directionality pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type gradient_checkpointing`,
  ],
  // models/qwen2/configuration_qwen2.py: v4.57 and v5.
  "Qwen2Config": [
    qwen2.huggingFace.keys,
    `vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads hidden_act
     max_position_embeddings initializer_range rms_norm_eps use_cache tie_word_embeddings rope_theta rope_scaling rope_parameters
     use_sliding_window sliding_window max_window_layers layer_types attention_dropout pad_token_id bos_token_id eos_token_id`,
  ],
  // models/qwen3/configuration_qwen3.py: v4.57 and v5.
  "Qwen3Config": [
    qwen3.huggingFace.keys,
    `vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim hidden_act
     max_position_embeddings initializer_range rms_norm_eps use_cache tie_word_embeddings rope_theta rope_scaling rope_parameters
     attention_bias use_sliding_window sliding_window max_window_layers layer_types attention_dropout pad_token_id bos_token_id eos_token_id`,
  ],
  // models/phi3/configuration_phi3.py: v4.57 and v5.
  "Phi3Config": [
    phi3.huggingFace.keys,
    `vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads resid_pdrop embd_pdrop
     attention_dropout hidden_act max_position_embeddings original_max_position_embeddings initializer_range rms_norm_eps use_cache
     tie_word_embeddings rope_theta rope_scaling rope_parameters partial_rotary_factor bos_token_id eos_token_id pad_token_id sliding_window`,
  ],
  // configuration_utils.py, PretrainedConfig.__init__ of v4.46 with its generation parameters.
  "PretrainedConfig of v4": [
    CONFIG_KEYS,
    `return_dict output_hidden_states output_attentions torchscript torch_dtype use_bfloat16 tf_legacy_loss pruned_heads
     tie_word_embeddings chunk_size_feed_forward is_encoder_decoder is_decoder cross_attention_hidden_size add_cross_attention
     tie_encoder_decoder max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p
     typical_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences
     output_scores return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values
     exponential_decay_length_penalty suppress_tokens begin_suppress_tokens architectures finetuning_task id2label label2id num_labels
     tokenizer_class prefix bos_token_id pad_token_id eos_token_id sep_token_id decoder_start_token_id task_specific_params problem_type
     transformers_version gradient_checkpointing name_or_path attn_implementation auto_map model_type quantization_config`,
  ],
  // configuration_utils.py of v5 (008e57439125).
  "PreTrainedConfig of v5": [
    CONFIG_KEYS,
    `transformers_version architectures output_hidden_states return_dict dtype chunk_size_feed_forward is_encoder_decoder id2label label2id
     problem_type torch_dtype num_labels name_or_path per_layer_config rope_parameters model_type`,
  ],
  // modeling_rope_utils.py, RopeParameters of v5 and the keys that v4 validates.
  "RopeParameters": [
    ROPE_KEYS,
    `rope_theta rope_type type partial_rotary_factor factor original_max_position_embeddings attention_factor beta_fast beta_slow truncate
     mscale mscale_all_dim short_factor long_factor low_freq_factor high_freq_factor mrope_section`,
  ],
  // huggingface/transformers, utils/quantization_config.py at 000e22311674.
  "GPTQConfig": [
    gptq,
    `quant_method bits tokenizer dataset group_size damp_percent desc_act act_group_aware sym true_sequential checkpoint_format meta backend
     model_seqlen block_name_to_quantize module_name_preceding_first_block batch_size pad_token_id max_input_length cache_block_outputs
     modules_in_block_to_quantize`,
  ],
  // AutoGPTQ's BaseQuantizeConfig, and what v4's GPTQConfig has besides.
  "quantize_config.json of AutoGPTQ": [
    gptq,
    `bits group_size damp_percent desc_act static_groups sym true_sequential is_marlin_format quant_method checkpoint_format
     awq_gemm_checkpoint model_name_or_path model_file_base_name use_cuda_fp16 use_exllama disable_exllama exllama_config`,
  ],
  // ModelCloud/GPTQModel, quantization/config.py at f4c327a17, BaseQuantizeConfig.to_dict and GPTQConfig, older keys of the top level.
  "GPTQModel": [
    gptq,
    `bits dynamic group_size desc_act lm_head method quant_method format checkpoint_format pack_dtype rotation meta sym static_groups
     true_sequential damp_percent damp_auto_increment mse gptaq foem hessian act_group_aware mock_quantization adapter offload_to_disk
     offload_to_disk_path pack_impl`,
  ],
  "a rule of GPTQModel's dynamic": [
    DYNAMIC_KEYS,
    "bits group_size desc_act sym damp_percent mse static_groups act_group_aware adapter",
  ],
  "AwqConfig": [
    awq,
    `quant_method bits group_size zero_point version backend fuse_max_seq_len modules_to_not_convert exllama_config do_fuse
     modules_to_fuse w_bit q_group_size`,
  ],
  "AWQ of GPTQModel": [
    awq,
    "bits dynamic group_size desc_act lm_head method format pack_dtype sym",
  ],
  "AqlmConfig": [
    aqlm,
    "quant_method in_group_size out_group_size num_codebooks nbits_per_codebook linear_weights_not_to_quantize",
  ],
  "HqqConfig": [hqq, "quant_method quant_config skip_modules dynamic_config"],
  "BitsAndBytesConfig": [
    bitsandbytes,
    `quant_method _load_in_8bit _load_in_4bit load_in_8bit load_in_4bit llm_int8_threshold llm_int8_skip_modules
     llm_int8_enable_fp32_cpu_offload llm_int8_has_fp16_weight bnb_4bit_compute_dtype bnb_4bit_quant_type bnb_4bit_use_double_quant
     bnb_4bit_quant_storage`,
  ],
  "TorchAoConfig": [
    torchao,
    `quant_method quant_type modules_to_not_convert quant_type_kwargs include_input_output_embeddings untie_embedding_weights`,
  ],
  // And vllm-project/compressed-tensors, quantization/quant_config.py, quant_scheme.py, quant_args.py, transform/transform_scheme.py, 0.12.
  "CompressedTensorsConfig": [
    compressed,
    `config_groups format quantization_status kv_cache_scheme global_compression_ratio ignore sparsity_config quant_method run_compressed
     transform_config version`,
  ],
  "QuantizationScheme": [
    within(compressed, "config_groups"),
    "targets weights input_activations output_activations format",
  ],
  "QuantizationArgs": [
    within(compressed, "config_groups", "weights"),
    `num_bits type symmetric group_size strategy block_structure dynamic actorder scale_dtype zp_dtype observer observer_kwargs`,
  ],
  "SparsityCompressionConfig": [
    within(compressed, "sparsity_config"),
    "format targets ignore global_sparsity sparsity_structure",
  ],
  "TransformScheme": [
    within(compressed, "transform_config", "config_groups"),
    "type apply randomize requires_grad block_size head_dim precision",
  ],
};

for (const [source, [table, keys]] of Object.entries(REFERENCES)) {
  Deno.test(`every key of ${source} is read, harmless, noted or refused`, () => {
    const missing = words(keys).filter((key) => !Object.hasOwn(table, key));
    assertEquals(missing, []);
  });
}

Deno.test("the keys of every architecture's class are among these", () => {
  const tables = Object.values(REFERENCES).map(([table]) => table);
  for (const { name, huggingFace, gguf } of ARCHITECTURES) {
    assert(tables.includes(huggingFace.keys), `${name} has no list of its class's keys`);
    for (const [key, rule] of Object.entries({ ...huggingFace.keys, ...gguf?.keys })) {
      if ("why" in rule) assert(rule.why.length > 3, `${name}: ${key}`);
    }
  }
});

Deno.test("every rule says why", () => {
  const walk = (table: KeyTable, path: string): void => {
    for (const [key, rule] of Object.entries(table)) {
      if (rule.kind === "nested") walk(rule.table, `${path}${key}.`);
      else if (rule.kind !== "read") assert(rule.why.length > 3, path + key);
    }
  };
  for (
    const [name, table] of Object.entries({
      CONFIG_KEYS,
      OPT_KEYS: opt.huggingFace.keys,
      GGUF_KEYS,
      ROPE_KEYS,
    })
  ) {
    walk(table, name);
  }
  for (const [name, table] of Object.entries(QUANTIZATION_KEYS)) walk(table, name);
});

Deno.test("a key ends as its rule says; what says nothing passes everywhere", () => {
  const table: KeyTable = {
    width: read(),
    tied: read("boolean"),
    torch_dtype: harmless("tensors give it"),
    eps: noted("the other one is"),
    scale: only([1], "nothing is scaled", (value, fields) => value === fields.width),
    causal: exactly([true], "it is"),
    inner: nested({ a: only([0], "of others") }),
    groups: entries({ b: read() }),
  };
  const check = (fields: Record<string, unknown>): string[] => {
    const notes: string[] = [];
    checkKeys(fields, table, { what: `"x.json"`, note: (sentence) => notes.push(sentence) });
    return notes;
  };
  assertEquals(
    check({
      width: 3,
      tied: true,
      causal: true,
      torch_dtype: "float16",
      scale: 1,
      inner: { a: 0 },
    }),
    [],
  );
  assertEquals(check({ width: 3, scale: 3, groups: { one: { b: 1 }, two: {} }, _private: 7 }), []);
  assertEquals(
    check({
      unknown: null,
      other: false,
      third: "",
      fourth: [],
      fifth: {},
      scale: null,
      causal: null,
      inner: [],
    }),
    [],
  );
  assertEquals(check({ eps: 1e-5 }), ['"x.json": eps 0.00001 is ignored: the other one is']);
  const decoration = {
    license: "mit",
    base_model: "a/b",
    peft_version: "0.1",
    training_datasets: ["a"],
  };
  assertEquals(check(decoration).length, 4);
  const refused: [Record<string, unknown>, string][] = [
    [{ unknown: 0 }, "unknown 0 is not a known key and may change the model"],
    [{ unknown: "text" }, 'unknown "text" is not a known key'],
    [{ license: 3 }, "license 3 is not a known key"],
    [{ scale: 2 }, "scale 2 is not supported: nothing is scaled"],
    [{ causal: false }, "causal false is not supported: it is"],
    [{ tied: "true" }, 'tied "true" is not a boolean'],
    [{ inner: { a: 2 } }, "inner.a 2 is not supported"],
    [{ inner: { c: 2 } }, "inner.c 2 is not a known key"],
    [{ inner: 5 }, "inner 5 is not an object"],
    [{ groups: { one: 5 } }, "groups.one 5 is not an object"],
    [{ groups: { one: { c: true } } }, "groups.one.c true is not a known key"],
    [{ constructor: 1 }, "constructor 1 is not a known key"],
  ];
  for (const [fields, message] of refused) {
    const error = assertThrows(() => check(fields), RangeError);
    assertStringIncludes(error.message, `Cannot read "x.json": ${message}`);
  }
  assert(shown({ a: "x".repeat(999), b: 3n }).length < 200);
});

Deno.test("docs/configuration-keys.md has every key, under what becomes of it", async () => {
  const path = new URL("../../../docs/configuration-keys.md", import.meta.url);
  assertEquals(await Deno.readTextFile(path), configurationKeysDocument());
});
