/**
 * The GPT-2 architecture (Radford et al. 2019; minGPT, nanoGPT): learned positions, LayerNorm before each part of a block, biases, GELU, one matrix
 * for queries, keys and values. Folders store its matrices with one row per input.
 *
 * @module
 */

import type { ActivationKind, RowList, Value } from "../../kernels/mod.ts";
import type { GgufTyped } from "../../quant/mod.ts";
import type {
  Architecture,
  ChannelScaling,
  GgufForm,
  HuggingFaceForm,
  Weight,
} from "../architecture.ts";
import { flag, positiveInteger, positiveNumber } from "../config/config_checks.ts";
import { type Fields, harmless, keysOf, only, read, shown } from "../config/config_keys.ts";
import { ownCode, SHARED_CONFIG_KEYS } from "../config/shared_config_keys.ts";
import { SHARED_GGUF_KEYS } from "../config/shared_gguf_keys.ts";
import type { ModelConfig } from "../model_config.ts";
import type { Hidden, Recorder } from "../recorder.ts";

/** Shape and constants of a GPT-2 model. */
export interface Gpt2Config extends ModelConfig {
  /** Added to the variance before taking the root. */
  readonly normEpsilon: number;
  /** Activation function of the feed-forward layer. */
  readonly activation: ActivationKind;
}

/** Activation functions by `activation_function`. The first of several names is written. llama.cpp supports only the second function. */
const ACTIVATIONS: Readonly<Record<string, ActivationKind>> = {
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  gelu_fast: "gelu-tanh",
  relu: "relu",
};

function weights(c: Gpt2Config): Weight[] {
  const table = (name: string, stored: string, rows: number, role: Weight["role"]): Weight => ({
    name: `${name}.weight`,
    huggingFace: `${stored}.weight`,
    rows,
    columns: c.hidden,
    role,
  });
  const norm = (name: string, stored: string, rest: Partial<Weight> = {}): Weight[] =>
    (["weight", "bias"] as const).map((kind) => ({
      name: `${name}.${kind}`,
      huggingFace: `transformer.${stored}.${kind}`,
      rows: 1,
      columns: c.hidden,
      role: kind === "bias" ? "bias" : "norm",
      ...rest,
    }));
  const block = (layer: number): Weight[] => {
    const [name, stored] = [`blk.${layer}`, `h.${layer}`];
    const linear = (
      part: "attention" | "mlp",
      to: string,
      from: string,
      [rows, columns]: readonly [number, number],
    ): Weight[] => [{
      name: `${name}.${to}.weight`,
      huggingFace: `transformer.${stored}.${from}.weight`,
      rows,
      columns,
      role: "matrix",
      layer,
      part,
      transposed: true,
    }, {
      name: `${name}.${to}.bias`,
      huggingFace: `transformer.${stored}.${from}.bias`,
      rows: 1,
      columns: rows,
      role: "bias",
      layer,
      part,
    }];
    return [
      ...norm(`${name}.attn_norm`, `${stored}.ln_1`, { layer, part: "attention" }),
      ...linear("attention", "attn_qkv", "attn.c_attn", [3 * c.hidden, c.hidden]),
      ...linear("attention", "attn_output", "attn.c_proj", [c.hidden, c.hidden]),
      ...norm(`${name}.ffn_norm`, `${stored}.ln_2`, { layer, part: "mlp" }),
      ...linear("mlp", "ffn_up", "mlp.c_fc", [c.feedForward, c.hidden]),
      ...linear("mlp", "ffn_down", "mlp.c_proj", [c.hidden, c.feedForward]),
    ];
  };
  return [
    table("token_embd", "transformer.wte", c.vocabulary, "embedding"),
    table("position_embd", "transformer.wpe", c.context, "positions"),
    ...Array.from({ length: c.layers }, (_, layer) => block(layer)).flat(),
    ...norm("output_norm", "ln_f"),
    ...c.tiedHead ? [] : [table("output", "lm_head", c.vocabulary, "head")],
  ];
}

function norm(x: Recorder, c: Gpt2Config, hidden: Hidden, name: string, rows?: RowList): Value {
  return x.norm(hidden, name, { kind: "layer", width: c.hidden, epsilon: c.normEpsilon, rows });
}

function embed(x: Recorder): Value {
  return x.add(x.embedding("token_embd"), x.embedding("position_embd", { by: "positions" }));
}

function block(x: Recorder, c: Gpt2Config, hidden: Hidden, layer: number): Value {
  const name = (part: string) => `blk.${layer}.${part}`;
  const { hidden: width, heads, headDimension } = c;

  const qkv = x.linear(norm(x, c, hidden, name("attn_norm")), name("attn_qkv")); // [B][M][3 hidden]
  const [q, k, v] = [0, width, 2 * width].map((first) =>
    x.columns(qkv, { of: 3 * width, first, count: width })
  );
  const attended = x.attention(q, k, v, { layer, heads, keyValueHeads: heads, headDimension });
  const between = x.linear(attended, name("attn_output"), { residual: hidden });

  const up = x.linear(norm(x, c, between, name("ffn_norm")), name("ffn_up")); // [B][M][feedForward]
  return x.linear(x.activation(up, c.activation), name("ffn_down"), { residual: between });
}

function head(x: Recorder, c: Gpt2Config, hidden: Hidden, rows?: RowList): Value {
  const last = norm(x, c, hidden, "output_norm", rows);
  return x.linear(last, c.tiedHead ? "token_embd" : "output");
}

/**
 * Gains can be scaled with the matrices that follow them and, for ReLU, which preserves positive factors, the up-projection with the down-projection.
 */
function scalings(c: Gpt2Config, layer: number): ChannelScaling[] {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  return [
    { from: name("attn_norm"), into: [name("attn_qkv")] },
    { from: name("ffn_norm"), into: [name("ffn_up")] },
    ...c.activation === "relu" ? [{ from: name("ffn_up"), into: [name("ffn_down")] }] : [],
  ];
}

/** The positive integer under a key, or under the alternative name that transformers accepts. */
function sizeOf(json: Fields, key: string, other: string, what: string, fallback?: number): number {
  const [value, same] = [json[key], json[other]];
  if (value !== undefined && same !== undefined && value !== same) {
    throw new RangeError(
      `Cannot read ${what}: ${key} ${shown(value)} and ${other} ${
        shown(same)
      } contradict each other; remove the wrong one`,
    );
  }
  return positiveInteger({ [key]: value ?? same }, key, what, fallback);
}

const huggingFace: HuggingFaceForm<Gpt2Config> = {
  modelTypes: ["gpt2"],
  classes: ["GPT2"],
  headClass: "LMHeadModel",
  base: "transformer",
  leftOut: [{
    pattern: /\.attn\.(masked_)?bias$/,
    what: "attention masks, which are recomputed, as in transformers",
  }],
  keys: {
    ...SHARED_CONFIG_KEYS,
    ...keysOf(
      `n_embd hidden_size n_layer num_hidden_layers n_head num_attention_heads n_positions max_position_embeddings n_inner vocab_size
       layer_norm_epsilon`,
      read(),
    ),
    activation_function: only(
      Object.keys(ACTIVATIONS),
      `only ${Object.keys(ACTIVATIONS).join(", ")} are`,
    ),
    ...keysOf(
      "summary_type summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout",
      harmless("used only by classifiers, which `architectures` would show"),
    ),
    reorder_and_upcast_attn: harmless("attention scores are summed in f32 here"),
    scale_attn_by_inverse_layer_idx: only(
      [],
      "attention scores are divided by the same number in all layers",
    ),
    auto_map: ownCode("GPT-2"),
  },
  read(json, { what }) {
    const hidden = sizeOf(json, "n_embd", "hidden_size", what);
    const heads = sizeOf(json, "n_head", "num_attention_heads", what);
    return {
      architecture: "gpt2",
      hidden,
      layers: sizeOf(json, "n_layer", "num_hidden_layers", what),
      heads,
      keyValueHeads: heads,
      headDimension: hidden / heads,
      // The defaults for missing keys are those of transformers' class.
      feedForward: positiveInteger(json, "n_inner", what, 4 * hidden),
      vocabulary: positiveInteger(json, "vocab_size", what),
      context: sizeOf(json, "n_positions", "max_position_embeddings", what, 1024),
      normEpsilon: positiveNumber(json, "layer_norm_epsilon", what, 1e-5),
      activation: ACTIVATIONS[String(json.activation_function ?? "gelu_new")],
      tiedHead: flag(json, "tie_word_embeddings", what, true),
    };
  },
  write: (c) => ({
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    n_embd: c.hidden,
    n_inner: c.feedForward,
    n_layer: c.layers,
    n_head: c.heads,
    vocab_size: c.vocabulary,
    n_positions: c.context,
    layer_norm_epsilon: c.normEpsilon,
    activation_function: Object.keys(ACTIVATIONS).find((it) => ACTIVATIONS[it] === c.activation),
    tie_word_embeddings: c.tiedHead,
  }),
};

const sameHeads = only(
  [],
  "every head has its own keys and values",
  (value, from) => value === from["attention.head_count"],
);
const sameWidth = only(
  [],
  "the heads divide up the hidden size",
  (value, from) =>
    Number(value) * Number(from["attention.head_count"]) === from["embedding_length"],
);

const gguf: GgufForm<Gpt2Config> = {
  keys: {
    ...SHARED_GGUF_KEYS,
    ...keysOf(
      `context_length embedding_length block_count feed_forward_length attention.head_count attention.layer_norm_epsilon`,
      read(),
    ),
    "attention.head_count_kv": sameHeads,
    ...keysOf("attention.key_length attention.value_length", sameWidth),
  },
  read(from, tensors, { what }) {
    const hidden = positiveInteger(from, "embedding_length", what);
    const heads = positiveInteger(from, "attention.head_count", what);
    return {
      architecture: "gpt2",
      hidden,
      layers: positiveInteger(from, "block_count", what),
      heads,
      keyValueHeads: heads,
      headDimension: hidden / heads,
      feedForward: positiveInteger(from, "feed_forward_length", what),
      vocabulary: tensors.embeddingRows,
      context: positiveInteger(from, "context_length", what),
      normEpsilon: positiveNumber(from, "attention.layer_norm_epsilon", what),
      activation: "gelu-tanh",
      tiedHead: !tensors.hasHead,
    };
  },
  write(c) {
    if (c.activation !== "gelu-tanh") {
      throw new RangeError(
        `Cannot write GGUF: llama.cpp computes GPT-2 with the tanh form of GELU, but this model uses ${c.activation}; write a folder instead`,
      );
    }
    const u32 = (value: number): GgufTyped => ({ type: "uint32", value });
    return {
      block_count: u32(c.layers),
      context_length: u32(c.context),
      embedding_length: u32(c.hidden),
      feed_forward_length: u32(c.feedForward),
      "attention.head_count": u32(c.heads),
      "attention.layer_norm_epsilon": { type: "float32", value: c.normEpsilon },
      vocab_size: u32(c.vocabulary),
    };
  },
};

/** The architecture. */
export const gpt2: Architecture<Gpt2Config> = {
  name: "gpt2",
  huggingFace,
  gguf,
  weights,
  embed,
  block,
  head,
  scalings,
};
