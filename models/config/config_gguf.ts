/**
 * The configuration of a model from GGUF metadata.
 *
 * @module
 */

import type { ModelConfig, RopeScaling } from "../model_config.ts";
import { checkedConfig, positiveInteger, positiveNumber } from "./config_checks.ts";
import {
  checkKeys,
  exactly,
  type Fields,
  harmless,
  isEmpty,
  keysOf,
  type KeyTable,
  type Note,
  noted,
  only,
  read,
  shown,
} from "./config_keys.ts";
import { contextWithin } from "./sliding_window.ts";

const another = only(
  [0],
  "another architecture",
  (value) => Array.isArray(value) && value.every((it) => it === 0 || it === false),
);

/** Every key that llama.cpp knows under an architecture's prefix, and what becomes of it here in architecture `llama`. */
export const GGUF_KEYS: KeyTable = {
  ...keysOf(
    `context_length embedding_length block_count feed_forward_length attention.head_count attention.head_count_kv attention.key_length
     attention.value_length attention.layer_norm_rms_epsilon attention.sliding_window rope.dimension_count rope.freq_base rope.scale_linear
     rope.scaling.type rope.scaling.factor`,
    read(),
  ),
  vocab_size: harmless("the rows of token_embd.weight say it"),
  "rope.scaling.attn_factor": only([1], "rotated heads are not scaled"),
  "rope.scaling.alpha": only([0], "of dynamic scaling"),
  "rope.scaling.yarn_log_multiplier": only([0], "yarn is not read"),
  "rope.scaling.yarn_ext_factor": only([0, -1], "yarn is not read"),
  "rope.scaling.yarn_attn_factor": only([1, -1], "yarn is not read"),
  ...keysOf(
    "rope.scaling.yarn_beta_fast rope.scaling.yarn_beta_slow rope.scaling.original_context_length",
    harmless("asked only with yarn"),
  ),
  "rope.scaling.finetuned": harmless("how it came to be"),
  ...keysOf(
    "rope.freq_base_swa rope.dimension_count_swa attention.key_length_swa attention.value_length_swa rope.dimension_sections",
    another,
  ),
  tensor_data_layout: only(["reference", "Meta AI original pth"], "tensors in another order"),
  use_parallel_residual: another,
  "attention.causal": exactly([true, 1], "positions see only those before them"),
  "attention.max_alibi_bias": only([0], "only rotary positions are"),
  "attention.clamp_kqv": only([0], "nothing is clipped"),
  "attention.layer_norm_epsilon": noted("attention.layer_norm_rms_epsilon is"),
  "attention.scale": only(
    [0],
    "products of attention are divided by the root of the head's width",
    (value, from) => Math.abs(Number(value) * Math.sqrt(Number(widthOf(from))) - 1) < 1e-6,
  ),
  hidden_activation: only(["silu", "swish"], "only silu is"),
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
  pooling_type: only([0, 1, 2, 3], "rankers are not read"),
  "classifier.output_labels": only([], "classifiers are not read"),
  ...keysOf(
    "expert_count expert_used_count expert_shared_count expert_group_count",
    only([0], "mixtures of experts are not read"),
  ),
  ...keysOf(
    "expert_weights_scale expert_weights_norm expert_gating_func expert_group_scale expert_group_used_count experts_per_group expert_feed_forward_length expert_shared_feed_forward_length expert_chunk_feed_forward_length",
    harmless("asked only with experts"),
  ),
  "attention.sliding_window_pattern": harmless("attention.sliding_window limits all layers"),
  // What llama.cpp reads for others: 0 says that there is none of it.
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

/**
 * Keys outside the prefix. What begins with `general.` is about the file, `tokenizer.` is read by the tokenizer, `split.` by who opens the
 * parts; any other prefix is of another program, and llama.cpp asks it nothing either.
 */
export const GGUF_GENERAL_KEYS: KeyTable = {
  "general.architecture": read(),
  "general.type": only(["model"], "only models are read, no adapters, projectors or measurements"),
};

function widthOf(from: Fields): unknown {
  return from["attention.key_length"] ??
    Number(from.embedding_length) / Number(from["attention.head_count"]);
}

/**
 * The configuration in GGUF metadata (`general.architecture` llama). Every key under the architecture's prefix is read, known to change
 * nothing, or refused (see {@linkcode GGUF_KEYS} and `docs/configuration-keys.md`).
 *
 * @param tensors Rows of the embedding table, which are the vocabulary, and whether a head is there
 * @param note Told what a user should know, such as a context limited to a sliding window
 * @throws {RangeError} For another architecture, a value that is missing or out of range, and a key that is not known
 */
export function configFromGguf(
  metadata: ReadonlyMap<string, unknown>,
  tensors: { readonly embeddingRows: number; readonly hasHead: boolean },
  name = "GGUF file",
  note: Note = () => {},
): ModelConfig {
  const what = `"${name}"`;
  const architecture = metadata.get("general.architecture");
  const general = Object.fromEntries(
    Object.keys(GGUF_GENERAL_KEYS).map((key) => [key, metadata.get(key)]),
  );
  checkKeys(general, GGUF_GENERAL_KEYS, { what, note });
  if (architecture !== "llama") {
    throw new RangeError(
      `Cannot read ${what}: architecture ${shown(architecture)} is not supported, known is llama`,
    );
  }
  const from = fieldsUnder("llama.", metadata, what);
  checkKeys(from, GGUF_KEYS, { what: `${what} metadata`, note });
  const hidden = positiveInteger(from, "embedding_length", what);
  const heads = positiveInteger(from, "attention.head_count", what);
  const width = positiveInteger(from, "attention.key_length", what, hidden / heads);
  for (const key of ["attention.value_length", "rope.dimension_count"]) {
    const fallback = key === "rope.dimension_count" ? width : hidden / heads;
    if ((from[key] ?? fallback) !== width) {
      throw new RangeError(
        `Cannot read ${what}: ${key} ${
          shown(from[key] ?? fallback)
        } differs from the head dimension ${width}`,
      );
    }
  }
  const window = from["attention.sliding_window"] || undefined;
  return checkedConfig({
    architecture,
    hidden,
    layers: positiveInteger(from, "block_count", what),
    heads,
    keyValueHeads: positiveInteger(from, "attention.head_count_kv", what, heads),
    headDimension: width,
    feedForward: positiveInteger(from, "feed_forward_length", what),
    vocabulary: tensors.embeddingRows,
    context: contextWithin(
      window === undefined ? undefined : positiveInteger(from, "attention.sliding_window", what),
      positiveInteger(from, "context_length", what),
      { key: "attention.sliding_window", what, note },
    ),
    rmsEpsilon: positiveNumber(from, "attention.layer_norm_rms_epsilon", what),
    ropeTheta: positiveNumber(from, "rope.freq_base", what, 1e4),
    ropeInterleaved: true,
    ropeScaling: scalingOf(from, what, note),
    tiedHead: !tensors.hasHead,
  }, what);
}

// llama.cpp has numbers for each layer in an array: where all are the same they are one.
const PER_LAYER = ["attention.head_count", "attention.head_count_kv", "feed_forward_length"];

function fieldsUnder(
  prefix: string,
  metadata: ReadonlyMap<string, unknown>,
  what: string,
): Record<string, unknown> {
  // Arrays of numbers are typed arrays.
  const plain = (value: unknown): unknown => {
    if (typeof value === "bigint") return Number(value);
    const isList = Array.isArray(value) || ArrayBuffer.isView(value);
    return isList ? Array.from(value as unknown as ArrayLike<unknown>, plain) : value;
  };
  const from: Record<string, unknown> = {};
  for (const [key, value] of metadata) {
    if (key.startsWith(prefix)) from[key.slice(prefix.length)] = plain(value);
  }
  for (const key of PER_LAYER) {
    const values = from[key];
    if (!Array.isArray(values)) continue;
    if (values.length !== from.block_count || values.some((value) => value !== values[0])) {
      throw new RangeError(
        `Cannot read ${what}: ${key} ${shown(values)} is not one number for all of ${
          shown(from.block_count)
        } layers`,
      );
    }
    from[key] = values[0];
  }
  return from;
}

// As llama.cpp: a factor without a type is linear, the old key serves where the new one is missing, and 0 is none.
function scalingOf(from: Fields, what: string, note: Note): RopeScaling | undefined {
  const { "rope.scaling.type": given, "rope.scaling.factor": factor, "rope.scale_linear": old } =
    from;
  const type = given ?? "linear";
  if (type !== "none" && type !== "linear") {
    throw new RangeError(
      `Cannot read ${what}: rope.scaling.type ${
        shown(type)
      } is not supported, known are "none", "linear"`,
    );
  }
  const key = isEmpty(factor) ? "rope.scale_linear" : "rope.scaling.factor";
  if (!isEmpty(factor) && !isEmpty(old) && factor !== old) {
    note(
      `${what}: rope.scale_linear ${shown(old)} is not asked: rope.scaling.factor ${
        shown(factor)
      } is, as in llama.cpp`,
    );
  }
  const value = from[key];
  if (isEmpty(value) || value === 0) {
    if (given === "linear" && value === undefined) {
      note(`${what}: rope.scaling.type "linear" has no factor, so nothing is scaled`);
    }
    return undefined;
  }
  if (value === 1 && given === undefined) return undefined;
  if (type === "none") {
    if (value !== 1) {
      note(`${what}: ${key} ${shown(value)} is not asked: rope.scaling.type is none`);
    }
    return undefined;
  }
  return { type, factor: positiveNumber(from, key, what) };
}
