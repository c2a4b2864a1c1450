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
    harmless("which modules have LoRA is seen in the tensors"),
  ),
  fan_in_fan_out: harmless("A and B are stored the same way for all modules"),
  ...keysOf("task_type auto_mapping revision peft_version inference_mode", harmless("of the file")),
  ...keysOf(
    `lora_dropout megatron_config megatron_core loftq_config eva_config corda_config lora_ga_config velora_config runtime_config qalora_group_size
     ensure_weight_tying`,
    harmless("how it was trained, or is run elsewhere"),
  ),
  init_lora_weights: only(
    PLAIN_STARTS,
    "such a start alters the base's weights, so the adapter is wrong beside the model itself; save it with PEFT's path_initial_model_for_weight_conversion",
  ),
  bias: only(
    ["none"],
    "it comes with biases of the base, trained; merge them into the model first",
  ),
  modules_to_save: only(
    [],
    "it comes with whole modules of the base, trained; merge them into the model first",
  ),
  use_dora: only([], "DoRA divides by the norms of the changed weights"),
  use_qalora: only([], "QALoRA pools the inputs"),
  use_bdlora: only([], "its matrices are blocks on a diagonal"),
  ...keysOf("monteclora_config kasa_config arrow_config", only([], "it computes something else")),
  alora_invocation_tokens: only([], "it applies behind certain tokens only"),
  layer_replication: only([], "the model would have layers more than once"),
  trainable_token_indices: only([], "it comes with rows of the embedding, trained"),
  target_parameters: only([], "it changes parameters that are no linear layers"),
};
