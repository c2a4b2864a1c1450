/**
 * The Llama architecture (Touvron et al., arXiv 2302.13971; Llama 2, Llama 3, Mistral, Vicuna): RMSNorm, rotary positions, grouped-query attention,
 * SwiGLU.
 *
 * @module
 */

import type { RowList, Value } from "../../kernels/mod.ts";
import type { GgufTyped, GgufValue } from "../../quant/mod.ts";
import type {
  Architecture,
  ChannelScaling,
  GgufForm,
  HuggingFaceForm,
  Weight,
} from "../architecture.ts";
import type { ModelConfig, RopeScaling } from "../model_config.ts";
import { positiveInteger, positiveNumber } from "../config/config_checks.ts";
import {
  exactly,
  type Fields,
  harmless,
  keysOf,
  noted,
  only,
  read,
  shown,
} from "../config/config_keys.ts";
import { contextOf, ropeSettings, ropeSettingsAsJson } from "../config/config_rope.ts";
import { ggufRopeScaling, ropeFieldsForGguf } from "../config/config_rope_gguf.ts";
import type { Hidden, Recorder } from "../recorder.ts";
import { ropeFactorsOf, scalingOfRopeFactors } from "../rope_scaling.ts";
import { ropeTable } from "../rope_table.ts";
import { headWidth, ownCode, SHARED_CONFIG_KEYS } from "../config/shared_config_keys.ts";
import { another, SHARED_GGUF_KEYS } from "../config/shared_gguf_keys.ts";
import { ggufSlidingWindow, layerTypesOf, slidingWindow } from "../config/sliding_window.ts";
import { windowOf } from "../model_config.ts";

/** Shape and constants of a Llama model. */
export interface LlamaConfig extends ModelConfig {
  /** Added to the mean square before taking the root. */
  readonly rmsEpsilon: number;
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  /** Whether the elements of a rotated pair are adjacent (GGUF) instead of half a head apart (Hugging Face). */
  readonly ropeInterleaved: boolean;
  /** Scaling of the rotary frequencies. Undefined if there is none. */
  readonly ropeScaling?: RopeScaling | undefined;
}

function weights(c: LlamaConfig): Weight[] {
  const queries = c.heads * c.headDimension;
  const keys = c.keyValueHeads * c.headDimension;
  const rotary = (heads: number) => ({ rotary: { heads, interleaved: c.ropeInterleaved } });
  const weight = (
    name: string,
    huggingFace: string,
    shape: readonly [rows: number, columns: number],
    role: Weight["role"],
    rest: Partial<Weight> = {},
  ): Weight => ({
    name: `${name}.weight`,
    huggingFace: `${huggingFace}.weight`,
    rows: shape[0],
    columns: shape[1],
    role,
    ...rest,
  });
  const block = (layer: number): Weight[] => {
    const [name, stored] = [`blk.${layer}`, `model.layers.${layer}`];
    const [attention, mlp] = [{ layer, part: "attention" }, { layer, part: "mlp" }] as const;
    const norm = [1, c.hidden] as const;
    // deno-fmt-ignore
    return [
      weight(`${name}.attn_norm`, `${stored}.input_layernorm`, norm, "norm", attention),
      weight(`${name}.attn_q`, `${stored}.self_attn.q_proj`, [queries, c.hidden], "matrix", { ...attention, ...rotary(c.heads) }),
      weight(`${name}.attn_k`, `${stored}.self_attn.k_proj`, [keys, c.hidden], "matrix", { ...attention, ...rotary(c.keyValueHeads) }),
      weight(`${name}.attn_v`, `${stored}.self_attn.v_proj`, [keys, c.hidden], "matrix", attention),
      weight(`${name}.attn_output`, `${stored}.self_attn.o_proj`, [c.hidden, queries], "matrix", attention),
      weight(`${name}.ffn_norm`, `${stored}.post_attention_layernorm`, norm, "norm", mlp),
      weight(`${name}.ffn_gate`, `${stored}.mlp.gate_proj`, [c.feedForward, c.hidden], "matrix", mlp),
      weight(`${name}.ffn_up`, `${stored}.mlp.up_proj`, [c.feedForward, c.hidden], "matrix", mlp),
      weight(`${name}.ffn_down`, `${stored}.mlp.down_proj`, [c.hidden, c.feedForward], "matrix", mlp),
    ];
  };
  const table = [c.vocabulary, c.hidden] as const;
  return [
    weight("token_embd", "model.embed_tokens", table, "embedding"),
    ...Array.from({ length: c.layers }, (_, layer) => block(layer)).flat(),
    weight("output_norm", "model.norm", [1, c.hidden], "norm"),
    ...c.tiedHead ? [] : [weight("output", "lm_head", table, "head")],
  ];
}

/**
 * Records a block.
 *
 * @param unrotated Transforms queries and keys, given the name of their matrix, before rotation. Default: no change.
 */
export function llamaBlock(
  x: Recorder,
  c: LlamaConfig,
  hidden: Hidden,
  layer: number,
  unrotated: (value: Value, name: string, heads: number) => Value = (value) => value,
): Value {
  const name = (part: string) => `blk.${layer}.${part}`;
  const norm = (input: Hidden, part: string) =>
    x.norm(input, name(part), { kind: "rms", width: c.hidden, epsilon: c.rmsEpsilon });
  const rotated = (part: string, heads: number) =>
    x.rope(unrotated(x.linear(h, name(part)), name(part), heads), {
      table: "rope",
      heads,
      headDimension: c.headDimension,
      interleaved: c.ropeInterleaved,
    });

  const h = norm(hidden, "attn_norm");
  const q = rotated("attn_q", c.heads); // [B][M][heads * head]
  const k = rotated("attn_k", c.keyValueHeads); // [B][M][keyValueHeads * head]
  const v = x.linear(h, name("attn_v"));
  const attended = x.attention(q, k, v, { ...c, layer, window: windowOf(c, layer) });
  const between = x.linear(attended, name("attn_output"), { residual: hidden });

  const f = norm(between, "ffn_norm");
  const gate = x.linear(f, name("ffn_gate")); // [B][M][feedForward]
  const gated = x.activation(gate, "silu", x.linear(f, name("ffn_up")));
  return x.linear(gated, name("ffn_down"), { residual: between });
}

function head(x: Recorder, c: LlamaConfig, hidden: Hidden, rows?: RowList): Value {
  const shape = { kind: "rms", width: c.hidden, epsilon: c.rmsEpsilon, rows } as const;
  return x.linear(x.norm(hidden, "output_norm", shape), c.tiedHead ? "token_embd" : "output");
}

/** Gains can be scaled with the matrices that follow them, values with the output, and the linear half of the gated unit with the down-projection. */
function scalings(c: LlamaConfig, layer: number): ChannelScaling[] {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  const d = c.headDimension;
  const perHead = c.heads / c.keyValueHeads;
  const sources = Uint32Array.from(
    { length: c.heads * d },
    (_, k) => Math.floor(k / d / perHead) * d + k % d,
  );
  return [
    { from: name("attn_norm"), into: ["attn_q", "attn_k", "attn_v"].map(name) },
    { from: name("attn_v"), into: [name("attn_output")], sources },
    { from: name("ffn_norm"), into: ["ffn_gate", "ffn_up"].map(name) },
    { from: name("ffn_up"), into: [name("ffn_down")] },
  ];
}

const huggingFace: HuggingFaceForm<LlamaConfig> = {
  modelTypes: ["llama", "mistral"],
  classes: ["Llama", "Mistral"],
  base: "model",
  keys: {
    ...SHARED_CONFIG_KEYS,
    ...keysOf(
      `hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim vocab_size max_position_embeddings
       rms_norm_eps rope_theta rope_scaling rope_parameters original_max_position_embeddings sliding_window layer_types max_window_layers`,
      read(),
    ),
    use_sliding_window: read("boolean"),
    is_llama_config: harmless("describes the file"),

    // Keys of other models that use this model's name, accepted if they have no effect.
    ...keysOf(
      "hidden_act hidden_activation activation_function",
      only(["silu", "swish"], "only SiLU is supported"),
    ),
    activation: only(["swiglu", "silu", "swish"], "only SiLU is supported"),
    ...keysOf(
      "attention_bias mlp_bias qkv_bias use_bias use_qkv_bias lm_head_bias attention_out_bias",
      only([], "biases in attention, feed-forward layers or the head"),
    ),
    ...keysOf(
      "partial_rotary_factor rotary_pct rope_pct rope_percent",
      only([1], "the whole head is rotated"),
    ),
    rotary_dim: only(
      [],
      "the whole head is rotated",
      (value, from) => value === headWidth(from),
    ),
    ...keysOf(
      "rope_interleaved rope_interleave",
      only([], "in folders, the two elements of a pair are half a head apart"),
    ),
    ...keysOf(
      "no_rope_layers no_rope_layer_interval nope_layer_interval",
      only([], "all layers use rotary positions"),
    ),
    ...keysOf("use_rope apply_rope rope", exactly([true], "all layers use rotary positions")),
    ...keysOf(
      "gated_mlp use_gated_mlp use_glu use_swiglu",
      exactly([true], "the feed-forward layer is gated"),
    ),
    ...keysOf("rms_norm use_rms_norm rmsnorm", exactly([true], "another architecture")),
    position_embedding_type: only(["rope", "rotary"], "only rotary positions are supported"),
    ...keysOf("layer_norm_eps layer_norm_epsilon", noted("rms_norm_eps is used instead")),
    auto_map: ownCode("Llama"),
  },
  read(json, { what, note }) {
    const hidden = positiveInteger(json, "hidden_size", what);
    const heads = positiveInteger(json, "num_attention_heads", what);
    const layers = positiveInteger(json, "num_hidden_layers", what);
    // The defaults for missing keys are those of transformers' class.
    const mistral = json.model_type === "mistral";
    const longest = positiveInteger(json, "max_position_embeddings", what, mistral ? 131072 : 2048);
    const keyValueHeads = mistral && json.num_key_value_heads === undefined ? 8 : heads;
    const rope = ropeSettings({ ...json, max_position_embeddings: longest }, layers, what, note);
    const context = contextOf(rope.scaling, longest);
    return {
      architecture: "llama",
      hidden,
      layers,
      heads,
      keyValueHeads: positiveInteger(json, "num_key_value_heads", what, keyValueHeads),
      headDimension: positiveInteger(json, "head_dim", what, hidden / heads),
      feedForward: positiveInteger(json, "intermediate_size", what),
      vocabulary: positiveInteger(json, "vocab_size", what),
      context,
      ...slidingWindow(json, { layers, context, what }),
      rmsEpsilon: positiveNumber(json, "rms_norm_eps", what, 1e-6),
      ropeTheta: rope.theta,
      ropeInterleaved: false,
      ropeScaling: rope.scaling,
      tiedHead: json.tie_word_embeddings === true,
    };
  },
  write(c, ropeFactors) {
    const scaling = ropeFactors ? scalingOfRopeFactors(c, ropeFactors) : c.ropeScaling;
    // Llama's class has no window; Mistral's is otherwise the same.
    const windowed = c.slidingWindow !== undefined;
    return {
      architectures: [windowed ? "MistralForCausalLM" : "LlamaForCausalLM"],
      model_type: windowed ? "mistral" : "llama",
      ...windowed && { sliding_window: c.slidingWindow },
      ...c.slidingLayers && { layer_types: layerTypesOf(c) },
      hidden_size: c.hidden,
      intermediate_size: c.feedForward,
      num_hidden_layers: c.layers,
      num_attention_heads: c.heads,
      num_key_value_heads: c.keyValueHeads,
      head_dim: c.headDimension,
      vocab_size: c.vocabulary,
      max_position_embeddings: c.context,
      rms_norm_eps: c.rmsEpsilon,
      rope_theta: c.ropeTheta,
      ...ropeSettingsAsJson(scaling),
      hidden_act: "silu",
      tie_word_embeddings: c.tiedHead,
    };
  },
};

const isYarn = (_: unknown, from: Fields) => from["rope.scaling.type"] === "yarn";

const isNotYarn = (value: unknown, from: Fields) => !isYarn(value, from);

const gguf: GgufForm<LlamaConfig> = {
  keys: {
    ...SHARED_GGUF_KEYS,
    ...keysOf(
      `context_length embedding_length block_count feed_forward_length attention.head_count attention.head_count_kv attention.key_length
       attention.value_length attention.layer_norm_rms_epsilon attention.sliding_window attention.sliding_window_pattern
       rope.dimension_count rope.freq_base rope.scale_linear rope.scaling.type rope.scaling.factor rope.scaling.original_context_length`,
      read(),
    ),
    "rope.scaling.attn_factor": only([1], "only yarn uses it", isYarn),
    "rope.scaling.alpha": only([0], "used by dynamic scaling"),
    "rope.scaling.yarn_log_multiplier": only([0], "a variant of yarn in other models"),
    "rope.scaling.yarn_ext_factor": only(
      [-1],
      "yarn uses all of it, other types none",
      (value, from) => value === (isYarn(value, from) ? 1 : 0),
    ),
    "rope.scaling.yarn_beta_fast": only(
      [32, -1],
      "llama.cpp uses 32 for this architecture",
      isNotYarn,
    ),
    "rope.scaling.yarn_beta_slow": only(
      [1, -1],
      "llama.cpp uses 1 for this architecture",
      isNotYarn,
    ),
    "rope.scaling.yarn_attn_factor": only([1, -1], "rope.scaling.attn_factor gives it"),
    "rope.scaling.finetuned": harmless("how the value was obtained"),
    ...keysOf(
      "rope.freq_base_swa rope.dimension_count_swa attention.key_length_swa attention.value_length_swa rope.dimension_sections",
      another,
    ),
    tensor_data_layout: only(["reference", "Meta AI original pth"], "tensors in a different order"),
    "attention.max_alibi_bias": only([0], "only rotary positions are supported"),
    "attention.layer_norm_epsilon": noted("attention.layer_norm_rms_epsilon is used instead"),
    hidden_activation: only(["silu", "swish"], "only SiLU is supported"),
  },
  read(from, tensors, { what, note }) {
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
    const layers = positiveInteger(from, "block_count", what);
    const ropeScaling = ggufRopeScaling(from, what, note);
    const context = contextOf(ropeScaling, positiveInteger(from, "context_length", what));
    return {
      architecture: "llama",
      hidden,
      layers,
      heads,
      keyValueHeads: positiveInteger(from, "attention.head_count_kv", what, heads),
      headDimension: width,
      feedForward: positiveInteger(from, "feed_forward_length", what),
      vocabulary: tensors.embeddingRows,
      context,
      ...ggufSlidingWindow(from, { layers, context, what }),
      rmsEpsilon: positiveNumber(from, "attention.layer_norm_rms_epsilon", what),
      ropeTheta: positiveNumber(from, "rope.freq_base", what, 1e4),
      ropeInterleaved: true,
      ropeScaling,
      tiedHead: !tensors.hasHead,
    };
  },
  write(c) {
    const u32 = (value: number): GgufTyped => ({ type: "uint32", value });
    const f32 = (value: number): GgufTyped => ({ type: "float32", value });
    const fields: Record<string, GgufValue | GgufTyped> = {
      block_count: u32(c.layers),
      context_length: u32(c.context),
      embedding_length: u32(c.hidden),
      feed_forward_length: u32(c.feedForward),
      "attention.head_count": u32(c.heads),
      "attention.head_count_kv": u32(c.keyValueHeads),
      "attention.key_length": u32(c.headDimension),
      "attention.value_length": u32(c.headDimension),
      "attention.layer_norm_rms_epsilon": f32(c.rmsEpsilon),
      "rope.dimension_count": u32(c.headDimension),
      "rope.freq_base": f32(c.ropeTheta),
      vocab_size: u32(c.vocabulary),
    };
    if (c.slidingWindow !== undefined) {
      fields["attention.sliding_window"] = u32(c.slidingWindow);
    }
    if (c.slidingLayers) {
      fields["attention.sliding_window_pattern"] = {
        type: "bool",
        value: Array.from({ length: c.layers }, (_, layer) => c.slidingLayers!.includes(layer)),
      };
    }
    return { ...fields, ...ropeFieldsForGguf(c.ropeScaling) };
  },
  ropeFactors: ropeFactorsOf,
};

/** The architecture. */
export const llama: Architecture<LlamaConfig> = {
  name: "llama",
  huggingFace,
  gguf,
  weights,
  constants: (c, positions, ropeFactors) => ({
    rope: {
      words: positions * c.headDimension,
      values: () => ropeTable(c, positions, ropeFactors),
    },
  }),
  embed: (x) => x.embedding("token_embd"),
  block: (x, config, hidden, layer) => llamaBlock(x, config, hidden, layer),
  head,
  scalings,
};
