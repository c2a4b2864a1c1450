/**
 * The OPT architecture (Zhang et al., arXiv 2205.01068; Galactica): learned positions, LayerNorm, biases, ReLU or GELU. In OPT-350m, norms follow the
 * parts of a block, and the embedding is narrower than the hidden states.
 *
 * @module
 */

import type { ActivationKind, RowList, Value } from "../../kernels/mod.ts";
import type { Architecture, ChannelScaling, HuggingFaceForm, Weight } from "../architecture.ts";
import { flag, positiveInteger } from "../config/config_checks.ts";
import { exactly, harmless, keysOf, noted, only, read } from "../config/config_keys.ts";
import { headWidth, ownCode, SHARED_CONFIG_KEYS } from "../config/shared_config_keys.ts";
import type { ModelConfig } from "../model_config.ts";
import type { Hidden, Recorder } from "../recorder.ts";

/** Shape of an OPT model. */
export interface OptConfig extends ModelConfig {
  /** Width of the embedding and the head. If it differs from that of the hidden states, matrices convert between the two. */
  readonly embeddingWidth: number;
  /** Whether norms precede attention and feed-forward layer, instead of following the residual sums. */
  readonly normBefore: boolean;
  /** Whether the output of the last block is normalised. */
  readonly finalNorm: boolean;
  /** Whether the linear layers of blocks have biases. */
  readonly biases: boolean;
  /** Whether norms have gains and biases. */
  readonly affineNorms: boolean;
  /** Activation function of the feed-forward layer. */
  readonly activation: ActivationKind;
}

/** The first rows of the position table are reserved. */
const FIRST_POSITION = 2;
/** Epsilon of every LayerNorm. There is no key for it. */
const EPSILON = 1e-5;
/** Activation functions by `activation_function`. The first of several names is written. */
const ACTIVATIONS: Readonly<Record<string, ActivationKind>> = {
  relu: "relu",
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  gelu_fast: "gelu-tanh",
};

function weights(c: OptConfig): Weight[] {
  const named = (name: string, stored: string, rest: Omit<Weight, "name" | "huggingFace">) => ({
    name,
    huggingFace: `model.decoder.${stored}`,
    ...rest,
  });
  const vectors = (name: string, stored: string, columns: number, rest: Partial<Weight>) =>
    (["weight", "bias"] as const).map((kind): Weight =>
      named(`${name}.${kind}`, `${stored}.${kind}`, {
        rows: 1,
        columns,
        role: kind === "bias" ? "bias" : "norm",
        ...rest,
      })
    );
  const norm = (name: string, stored: string, rest: Partial<Weight> = {}): Weight[] =>
    c.affineNorms ? vectors(name, stored, c.hidden, rest) : [];
  const matrix = (
    name: string,
    stored: string,
    [rows, columns]: readonly [number, number],
    rest: Partial<Weight> = {},
  ): Weight =>
    named(`${name}.weight`, `${stored}.weight`, { rows, columns, role: "matrix", ...rest });
  const block = (layer: number): Weight[] => {
    const [name, stored] = [`blk.${layer}`, `layers.${layer}`];
    const linear = (
      to: string,
      from: string,
      shape: readonly [number, number],
      part: Weight["part"],
    ): Weight[] => {
      const place = { layer, ...part && { part } };
      const [, bias] = vectors(`${name}.${to}`, `${stored}.${from}`, shape[0], place);
      const product = matrix(`${name}.${to}`, `${stored}.${from}`, shape, place);
      return c.biases ? [product, bias] : [product];
    };
    const square = [c.hidden, c.hidden] as const;
    const [attention, mlp] = [{ layer, part: "attention" }, { layer, part: "mlp" }] as const;
    return [
      ...norm(`${name}.attn_norm`, `${stored}.self_attn_layer_norm`, attention),
      ...linear("attn_q", "self_attn.q_proj", square, "attention"),
      ...linear("attn_k", "self_attn.k_proj", square, "attention"),
      ...linear("attn_v", "self_attn.v_proj", square, "attention"),
      ...linear("attn_output", "self_attn.out_proj", square, "attention"),
      ...norm(`${name}.ffn_norm`, `${stored}.final_layer_norm`, mlp),
      ...linear("ffn_up", "fc1", [c.feedForward, c.hidden], "mlp"),
      ...linear("ffn_down", "fc2", [c.hidden, c.feedForward], "mlp"),
    ];
  };
  const { hidden, embeddingWidth: width } = c;
  const table = [c.vocabulary, width] as const;
  const head: Weight = {
    ...matrix("output", "", table, { role: "head" }),
    huggingFace: "lm_head.weight",
  };
  return [
    matrix("token_embd", "embed_tokens", table, { role: "embedding" }),
    matrix("position_embd", "embed_positions", [c.context + FIRST_POSITION, hidden], {
      role: "positions",
    }),
    ...width === hidden ? [] : [matrix("project_in", "project_in", [hidden, width])],
    ...Array.from({ length: c.layers }, (_, layer) => block(layer)).flat(),
    ...c.finalNorm ? norm("output_norm", "final_layer_norm") : [],
    ...width === hidden ? [] : [matrix("project_out", "project_out", [width, hidden])],
    ...c.tiedHead ? [] : [head],
  ];
}

function norm(x: Recorder, c: OptConfig, hidden: Hidden, name: string, rows?: RowList): Value {
  return x.norm(hidden, name, { kind: "layer", width: c.hidden, epsilon: EPSILON, rows });
}

function embed(x: Recorder, c: OptConfig): Value {
  const tokens = x.embedding("token_embd"); // [B][M][embeddingWidth]
  const positions = x.embedding("position_embd", { by: "positions", shift: FIRST_POSITION });
  return c.embeddingWidth === c.hidden
    ? x.add(tokens, positions)
    : x.linear(tokens, "project_in", { residual: positions });
}

function block(x: Recorder, c: OptConfig, hidden: Hidden, layer: number): Value {
  const name = (part: string) => `blk.${layer}.${part}`;
  const { heads, headDimension } = c;

  const h = c.normBefore ? norm(x, c, hidden, name("attn_norm")) : hidden;
  const [q, k, v] = ["attn_q", "attn_k", "attn_v"].map((part) => x.linear(h, name(part)));
  const attended = x.attention(q, k, v, { layer, heads, keyValueHeads: heads, headDimension });
  const sum = x.linear(attended, name("attn_output"), { residual: hidden });
  const between = c.normBefore ? sum : norm(x, c, sum, name("attn_norm"));

  const f = c.normBefore ? norm(x, c, between, name("ffn_norm")) : between;
  const up = x.activation(x.linear(f, name("ffn_up")), c.activation); // [B][M][feedForward]
  const out = x.linear(up, name("ffn_down"), { residual: between });
  return c.normBefore ? out : norm(x, c, out, name("ffn_norm"));
}

function head(x: Recorder, c: OptConfig, hidden: Hidden, rows?: RowList): Value {
  const alone = (): Hidden => rows ? x.pick(hidden, c.hidden, rows) : hidden;
  const last = c.finalNorm ? norm(x, c, hidden, "output_norm", rows) : alone();
  const narrow = c.embeddingWidth === c.hidden ? last : x.linear(last, "project_out");
  return x.linear(narrow, c.tiedHead ? "token_embd" : "output");
}

/**
 * Gains can be scaled with the matrices that follow them if nothing else reads the norm, values with the output and, for ReLU, which preserves
 * positive factors, the up-projection with the down-projection.
 */
function scalings(c: OptConfig, layer: number): ChannelScaling[] {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  const ofNorms = [
    { from: name("attn_norm"), into: ["attn_q", "attn_k", "attn_v"].map(name) },
    { from: name("ffn_norm"), into: [name("ffn_up")] },
  ];
  return [
    ...c.normBefore && c.affineNorms ? ofNorms : [],
    { from: name("attn_v"), into: [name("attn_output")] },
    ...c.activation === "relu" ? [{ from: name("ffn_up"), into: [name("ffn_down")] }] : [],
  ];
}

const huggingFace: HuggingFaceForm<OptConfig> = {
  modelTypes: ["opt"],
  classes: ["OPT"],
  base: "model",
  keys: {
    ...SHARED_CONFIG_KEYS,
    ...keysOf(
      "hidden_size num_hidden_layers num_attention_heads ffn_dim vocab_size max_position_embeddings word_embed_proj_dim",
      read(),
    ),
    ...keysOf(
      "do_layer_norm_before _remove_final_layer_norm enable_bias layer_norm_elementwise_affine",
      read("boolean"),
    ),
    activation_function: only(
      Object.keys(ACTIVATIONS),
      `only ${Object.keys(ACTIVATIONS).join(", ")} are`,
    ),
    hidden_act: only(
      [],
      "activation_function is used instead",
      (value, from) => value === (from.activation_function ?? "relu"),
    ),
    ...keysOf(
      "activation_dropout layerdrop init_std",
      harmless("used only in training by other programs"),
    ),

    // Keys of other models that use this model's name, accepted if they have no effect.
    learned_embeddings: exactly([true], "positions are learned"),
    ...keysOf(
      "rope_parameters rope_scaling rope_theta partial_rotary_factor sliding_window",
      only([], "positions are learned, and a token attends to all earlier ones"),
    ),
    scale_embeddings: only([], "nothing is scaled between layers"),
    head_dim: only(
      [],
      "the heads divide up the hidden size",
      (value, { head_dim: _, ...from }) => value === headWidth(from),
    ),
    num_key_value_heads: only(
      [],
      "every head has its own keys and values",
      (value, from) => value === from.num_attention_heads,
    ),
    intermediate_size: only([], "ffn_dim is used instead", (value, from) => value === from.ffn_dim),
    ...keysOf("layer_norm_eps layer_norm_epsilon", noted("OPT's norms use 1e-5")),
    auto_map: ownCode("OPT"),
  },
  read(json, { what }) {
    const hidden = positiveInteger(json, "hidden_size", what);
    const heads = positiveInteger(json, "num_attention_heads", what);
    const normBefore = flag(json, "do_layer_norm_before", what, true);
    return {
      architecture: "opt",
      hidden,
      layers: positiveInteger(json, "num_hidden_layers", what),
      heads,
      keyValueHeads: heads,
      headDimension: hidden / heads,
      feedForward: positiveInteger(json, "ffn_dim", what),
      vocabulary: positiveInteger(json, "vocab_size", what),
      // The defaults for missing keys are those of transformers' class.
      context: positiveInteger(json, "max_position_embeddings", what, 2048),
      embeddingWidth: positiveInteger(json, "word_embed_proj_dim", what, hidden),
      normBefore,
      finalNorm: normBefore && !flag(json, "_remove_final_layer_norm", what, false),
      biases: flag(json, "enable_bias", what, true),
      affineNorms: flag(json, "layer_norm_elementwise_affine", what, true),
      activation: ACTIVATIONS[String(json.activation_function ?? "relu")],
      tiedHead: flag(json, "tie_word_embeddings", what, true),
    };
  },
  write: (c) => ({
    architectures: ["OPTForCausalLM"],
    model_type: "opt",
    hidden_size: c.hidden,
    word_embed_proj_dim: c.embeddingWidth,
    ffn_dim: c.feedForward,
    num_hidden_layers: c.layers,
    num_attention_heads: c.heads,
    vocab_size: c.vocabulary,
    max_position_embeddings: c.context,
    activation_function: Object.keys(ACTIVATIONS).find((it) => ACTIVATIONS[it] === c.activation),
    do_layer_norm_before: c.normBefore,
    _remove_final_layer_norm: c.normBefore && !c.finalNorm,
    enable_bias: c.biases,
    layer_norm_elementwise_affine: c.affineNorms,
    tie_word_embeddings: c.tiedHead,
  }),
};

/** The architecture. */
export const opt: Architecture<OptConfig> = {
  name: "opt",
  huggingFace,
  weights,
  embed,
  block,
  head,
  scalings,
};
