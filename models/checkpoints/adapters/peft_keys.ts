/**
 * The keys of `adapter_config.json` as PEFT writes it for LoRA: what becomes of each.
 *
 * @module
 */

import { harmless, keysOf, type KeyTable, only, read } from "../../config/config_keys.ts";

/** Starts that leave the base as it is; those of other words subtract something from it first. */
const PLAIN_STARTS = [true, "gaussian", "eva", "orthogonal", "mica"] as const;

/** Of `adapter_config.json` with `peft_type` LORA. */
export const PEFT_LORA_KEYS: KeyTable = {
  ...keysOf("peft_type r lora_alpha use_rslora rank_pattern alpha_pattern lora_bias", read()),
  base_model_name_or_path: read(),
  ...keysOf(
    "target_modules exclude_modules layers_to_transform layers_pattern",
    harmless("the tensors show which modules have LoRA"),
  ),
  fan_in_fan_out: harmless("A and B are stored the same way for all modules"),
  ...keysOf(
    "task_type auto_mapping revision peft_version inference_mode",
    harmless("describes the file"),
  ),
  ...keysOf(
    `lora_dropout megatron_config megatron_core loftq_config eva_config corda_config lora_ga_config velora_config runtime_config qalora_group_size
     ensure_weight_tying`,
    harmless("how it was trained, or how other programs run it"),
  ),
  init_lora_weights: only(
    PLAIN_STARTS,
    "this initialisation changes the base's weights, so the adapter does not fit the original model; save it with PEFT's path_initial_model_for_weight_conversion",
  ),
  bias: only(
    ["none"],
    "it includes trained biases of the base; merge them into the model first",
  ),
  modules_to_save: only(
    [],
    "it includes whole trained modules of the base; merge them into the model first",
  ),
  use_dora: only([], "DoRA divides by the norms of the changed weights"),
  use_qalora: only([], "QALoRA pools the inputs"),
  use_bdlora: only([], "its matrices are block-diagonal"),
  ...keysOf("monteclora_config kasa_config arrow_config", only([], "it computes something else")),
  alora_invocation_tokens: only([], "it applies only after certain tokens"),
  layer_replication: only([], "layers of the model would be repeated"),
  trainable_token_indices: only([], "it includes trained rows of the embedding"),
  target_parameters: only([], "it changes parameters that are not linear layers"),
};
