/**
 * The keys of quantisation settings (`quantization_config` of `config.json`, `quantize_config.json`), with a table for each method.
 *
 * @module
 */

import {
  entries,
  harmless,
  keysOf,
  type KeyTable,
  nested,
  noted,
  only,
  read,
} from "../../config/config_keys.ts";

const bySuffix = "the tensors show which modules are quantised";

// How a tool found the codes, and how other programs run them.
const MADE_WITH: KeyTable = {
  ...keysOf(
    `model_name_or_path model_file_base_name dataset tokenizer batch_size nsamples seqlen iters lr minmax_lr true_sequential static_groups
     damp_percent damp_auto_increment act_group_aware mse gptaq gptaq_alpha foem hessian fallback failsafe mock_quantization calib_data
     act_order meta provider autoround_version enable_quanted_input enable_minmax_tuning enable_norm_bias_tuning low_gpu_mem_usage
     gradient_accumulate_steps data_type scale_dtype amp model_seqlen max_input_length cache_block_outputs cache_examples_on_gpu
     module_name_preceding_first_block pad_token_id offload_to_disk offload_to_disk_path device pack_impl preprocessors process
     auto_forward_data_parallel weight_only moe parallel_packing hyb_act buffered_fwd vram_strategy
     gc_mode wait_for_submodule_finalizers dense_vram_strategy dense_vram_strategy_devices moe_vram_strategy moe_vram_strategy_devices
     failsafe_strategy nblocks not_use_best_mse dynamic_max_gap sampler seed enable_full_range adam low_cpu_mem_usage
     enable_torch_compile momentum enable_quanted_input scale_search_chunked_activations`,
    harmless("how the codes were found"),
  ),
  ...keysOf(
    "use_cuda_fp16 use_exllama disable_exllama exllama_config use_triton backend do_fuse fuse_max_seq_len modules_to_fuse trainable inject_fused_attention inject_fused_mlp",
    harmless("how other programs run it"),
  ),
  ...keysOf(
    `lm_head modules_in_block_to_quantize modules_to_not_convert block_name_to_quantize quant_block_list to_quant_block_names
     modules_to_convert quant_lm_head`,
    harmless(bySuffix),
  ),
  ...keysOf(
    "act_group_size act_sym act_dynamic act_data_type",
    harmless("used only with act_bits"),
  ),
  act_bits: only([16, 32], "activations are not quantised"),
  ...keysOf("extra_config layer_config", only([], "AutoRound's settings for some modules")),
  ...keysOf("adapter eora", only([], "an adapter in addition to the weights; merge it first")),
  rotation: only([], "the inputs of modules would have to be rotated"),
  pack_dtype: only(["int32"], "codes are stored in 32-bit words"),
  super_bits: only([], "quantised scales"),
  super_group_size: only([], "quantised scales"),
};

/** Settings that a rule of `dynamic` may change for the modules it matches. */
export const DYNAMIC_KEYS: KeyTable = {
  ...MADE_WITH,
  ...keysOf("bits group_size desc_act sym", read()),
};

const GPTQ: KeyTable = {
  ...MADE_WITH,
  ...keysOf(
    "quant_method bits group_size desc_act sym checkpoint_format format version is_marlin_format dynamic",
    read(),
  ),
  method: only(["gptq"], "a different method from quant_method"),
  awq_gemm_checkpoint: only([], "an AWQ folder labelled as GPTQ"),
  packing_format: only(["auto_round:auto_gptq", "auto_round:gptq"], "codes in a different order"),
};

const AWQ: KeyTable = {
  ...MADE_WITH,
  ...keysOf(
    "quant_method bits w_bit group_size q_group_size version checkpoint_format format dynamic",
    read(),
  ),
  method: only(["awq"], "a different method from quant_method"),
  zero_point: harmless("every group has a stored zero point"),
  sym: harmless("every group has a stored zero point"),
  desc_act: only([], "columns are not reordered"),
  backend: only(["autoawq"], "codes in a different order"),
  packing_format: only(["auto_round:auto_awq", "auto_round:awq"], "codes in a different order"),
};

const HQQ: KeyTable = {
  quant_method: read(),
  ...keysOf("quant_config dynamic_config", harmless("the file has the settings of each layer")),
  skip_modules: harmless(bySuffix),
};

const activations = noted(
  "activations stay as they are, as in transformers; vLLM would quantise them to its num_bits",
);

const WEIGHTS: KeyTable = {
  ...keysOf("num_bits type symmetric group_size strategy", read()),
  actorder: harmless("weight_g_idx gives it"),
  ...keysOf("observer observer_kwargs scale_dtype zp_dtype", harmless("how the codes were found")),
  dynamic: only([], "weights have stored scales"),
  block_structure: only([], "scales belong to rows or to groups within a row"),
};

// Transforms of weights are already contained in the stored weights; those of inputs and outputs would have to be computed.
const TRANSFORMS: KeyTable = {
  config_groups: entries({
    ...keysOf(
      "type randomize precision head_dim block_size",
      harmless("already contained in the weights"),
    ),
    requires_grad: only([], "the transform has not been applied to the weights"),
    apply: only(
      [],
      "inputs or outputs of modules would have to be transformed; only the locations weight_input and weight_output are already contained in the weights",
      (value) =>
        Array.isArray(value) && value.every((it) => /^weight_(input|output)$/.test(it?.location)),
    ),
  }),
};

const SPARSITY: KeyTable = {
  format: only(["dense"], "packed sparse weights are not supported"),
  ...keysOf(
    "global_sparsity sparsity_structure targets ignore registry_requires_subclass",
    harmless("zeros are stored"),
  ),
};

const COMPRESSED_TENSORS: KeyTable = {
  ...keysOf("quant_method format", read()),
  config_groups: entries({
    ...keysOf("targets format", read()),
    weights: nested(WEIGHTS),
    ...keysOf("input_activations output_activations", activations),
  }),
  ignore: harmless(bySuffix),
  ...keysOf(
    "quantization_status global_compression_ratio version run_compressed",
    harmless("the stored planes give it"),
  ),
  kv_cache_scheme: noted("keys and values stay as they are; vLLM would quantise them"),
  sparsity_config: nested(SPARSITY),
  transform_config: nested(TRANSFORMS),
};

const AQLM: KeyTable = {
  ...keysOf(
    "quant_method in_group_size out_group_size num_codebooks nbits_per_codebook",
    read(),
  ),
  linear_weights_not_to_quantize: harmless(bySuffix),
};

const BITSANDBYTES: KeyTable = {
  ...keysOf("quant_method load_in_4bit load_in_8bit _load_in_4bit _load_in_8bit", read()),
  ...keysOf(
    "bnb_4bit_quant_type bnb_4bit_use_double_quant bnb_4bit_quant_storage bnb_4bit_blocksize",
    harmless("the file has the settings of each layer"),
  ),
  ...keysOf(
    "bnb_4bit_compute_dtype llm_int8_threshold llm_int8_enable_fp32_cpu_offload llm_int8_has_fp16_weight",
    harmless("how other programs run it"),
  ),
  llm_int8_skip_modules: harmless(bySuffix),
};

const TORCHAO: KeyTable = {
  quant_method: read(),
  quant_type: noted(
    "each layer's own form is in the file, and activations stay as they are; torchao would quantise them",
    (value) => /activation/i.test(JSON.stringify(value)),
  ),
  ...keysOf(
    "quant_type_kwargs include_input_output_embeddings untie_embedding_weights",
    harmless(bySuffix),
  ),
  modules_to_not_convert: harmless(bySuffix),
};

const QZO: KeyTable = keysOf("quant_method formats", read());

/** Tables by `quant_method`. */
export const QUANTIZATION_KEYS: Readonly<Record<string, KeyTable>> = {
  qzo: QZO,
  gptq: GPTQ,
  awq: AWQ,
  hqq: HQQ,
  "compressed-tensors": COMPRESSED_TENSORS,
  aqlm: AQLM,
  bitsandbytes: BITSANDBYTES,
  torchao: TORCHAO,
};
