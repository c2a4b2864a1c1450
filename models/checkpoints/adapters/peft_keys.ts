/**
 * The keys of `adapter_config.json` that PEFT writes for adapters beside modules, whatever their scheme: what becomes of each.
 *
 * @module
 */

import { harmless, keysOf, type KeyTable, read } from "../../config/config_keys.ts";

/** Of `adapter_config.json`; each scheme has its own besides. */
export const PEFT_KEYS: KeyTable = {
  ...keysOf("peft_type base_model_name_or_path", read()),
  ...keysOf("task_type auto_mapping revision peft_version inference_mode", harmless("of the file")),
  ensure_weight_tying: harmless("how it was trained, or is run elsewhere"),
  modules_to_save: harmless("which modules of the base it comes with is seen in the tensors"),
};
