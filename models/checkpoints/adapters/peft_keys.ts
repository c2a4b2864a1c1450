/**
 * How the keys of `adapter_config.json` are treated that PEFT writes for every kind of adapter with tensors next to modules.
 *
 * @module
 */

import { harmless, keysOf, type KeyTable, read } from "../../config/config_keys.ts";

/** Keys of `adapter_config.json` common to all schemes. Each scheme has additional keys. */
export const PEFT_KEYS: KeyTable = {
  ...keysOf("peft_type base_model_name_or_path", read()),
  ...keysOf(
    "task_type auto_mapping revision peft_version inference_mode",
    harmless("describes the file"),
  ),
  ensure_weight_tying: harmless("how it was trained, or how other programs run it"),
  modules_to_save: harmless("the tensors show which modules of the base it includes"),
};
