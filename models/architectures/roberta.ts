/**
 * The RoBERTa architecture (Liu et al., arXiv 1907.11692; XLM-RoBERTa, CamemBERT) and BERT (Devlin et al., arXiv 1810.04805), which uses other names:
 * tokens attend to the whole text, norms follow the parts of a block, and a separate head predicts masked tokens.
 *
 * @module
 */

import type { ActivationKind, RowList, Value } from "../../kernels/mod.ts";
import type { Architecture, ChannelScaling, HuggingFaceForm, Weight } from "../architecture.ts";
import { flag, positiveInteger, positiveNumber } from "../config/config_checks.ts";
import {
  exactly,
  type Fields,
  harmless,
  keysOf,
  type KeyTable,
  only,
  read,
  shown,
} from "../config/config_keys.ts";
import { headWidth, ownCode, SHARED_CONFIG_KEYS } from "../config/shared_config_keys.ts";
import type { ModelConfig } from "../model_config.ts";
import type { Hidden, Recorder } from "../recorder.ts";

/** Shape and constants of a RoBERTa or BERT model. */
export interface RobertaConfig extends ModelConfig {
  /** Added to the variance before taking the root. */
  readonly normEpsilon: number;
  /** Activation function of the feed-forward layer, and of BERT's head. RoBERTa's head uses GELU. */
  readonly activation: ActivationKind;
  /** Row of the position table for the first token of a text. */
  readonly firstPosition: number;
  /** Rows of the table of token types, the first of which is added to all tokens. */
  readonly tokenTypes: number;
}

/** Activation functions by `hidden_act`. The first of several names is written. */
const ACTIVATIONS: Readonly<Record<string, ActivationKind>> = {
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  gelu_fast: "gelu-tanh",
  relu: "relu",
};

/** Differences between the two architectures: names, defaults, and the first position. */
interface Dialect {
  readonly name: "roberta" | "bert";
  readonly modelTypes: readonly string[];
  readonly classes: readonly string[];
  readonly headClass: readonly string[];
  /** Names of the head's weights in folders. */
  readonly head: {
    readonly transform: string;
    readonly norm: string;
    readonly table: string;
    readonly bias: string;
  };
  readonly padding: number;
  /** Returns the first row of the position table. */
  firstPosition(padding: number): number;
}

const ROBERTA: Dialect = {
  name: "roberta",
  modelTypes: ["roberta", "xlm-roberta", "camembert"],
  classes: ["Roberta", "XLMRoberta", "Camembert"],
  headClass: ["ForMaskedLM"],
  head: {
    transform: "lm_head.dense",
    norm: "lm_head.layer_norm",
    table: "lm_head.decoder",
    bias: "lm_head.bias",
  },
  padding: 1,
  firstPosition: (padding) => padding + 1,
};

const BERT: Dialect = {
  name: "bert",
  modelTypes: ["bert"],
  classes: ["Bert"],
  headClass: ["ForMaskedLM", "ForPreTraining"],
  head: {
    transform: "cls.predictions.transform.dense",
    norm: "cls.predictions.transform.LayerNorm",
    table: "cls.predictions.decoder",
    bias: "cls.predictions.bias",
  },
  padding: 0,
  firstPosition: () => 0,
};

function weights(dialect: Dialect, c: RobertaConfig): Weight[] {
  const { name: base, head } = dialect;
  type Place = Pick<Weight, "layer" | "part">;
  const table = (name: string, stored: string, rows: number, role: Weight["role"]): Weight => ({
    name: `${name}.weight`,
    huggingFace: `${stored}.weight`,
    rows,
    columns: c.hidden,
    role,
  });
  const vector = (
    name: string,
    stored: string,
    columns: number,
    role: Weight["role"],
    place: Place = {},
  ): Weight => ({ name, huggingFace: stored, rows: 1, columns, role, ...place });
  const norm = (name: string, stored: string, place?: Place): Weight[] => [
    vector(`${name}.weight`, `${stored}.weight`, c.hidden, "norm", place),
    vector(`${name}.bias`, `${stored}.bias`, c.hidden, "bias", place),
  ];
  const linear = (
    name: string,
    stored: string,
    [rows, columns]: readonly [number, number],
    place: Place = {},
  ): Weight[] => [
    { ...table(name, stored, rows, "matrix"), columns, ...place },
    vector(`${name}.bias`, `${stored}.bias`, rows, "bias", place),
  ];
  const block = (layer: number): Weight[] => {
    const [to, from] = [`blk.${layer}`, `${base}.encoder.layer.${layer}`];
    const [attention, mlp] = [{ layer, part: "attention" }, { layer, part: "mlp" }] as const;
    const square = [c.hidden, c.hidden] as const;
    return [
      ...linear(`${to}.attn_q`, `${from}.attention.self.query`, square, attention),
      ...linear(`${to}.attn_k`, `${from}.attention.self.key`, square, attention),
      ...linear(`${to}.attn_v`, `${from}.attention.self.value`, square, attention),
      ...linear(`${to}.attn_output`, `${from}.attention.output.dense`, square, attention),
      ...norm(`${to}.attn_output_norm`, `${from}.attention.output.LayerNorm`, attention),
      ...linear(`${to}.ffn_up`, `${from}.intermediate.dense`, [c.feedForward, c.hidden], mlp),
      ...linear(`${to}.ffn_down`, `${from}.output.dense`, [c.hidden, c.feedForward], mlp),
      ...norm(`${to}.layer_output_norm`, `${from}.output.LayerNorm`, mlp),
    ];
  };
  const embeddings = `${base}.embeddings`;
  return [
    table("token_embd", `${embeddings}.word_embeddings`, c.vocabulary, "embedding"),
    table(
      "position_embd",
      `${embeddings}.position_embeddings`,
      c.context + c.firstPosition,
      "positions",
    ),
    table("token_types", `${embeddings}.token_type_embeddings`, c.tokenTypes, "types"),
    ...norm("token_embd_norm", `${embeddings}.LayerNorm`),
    ...Array.from({ length: c.layers }, (_, layer) => block(layer)).flat(),
    ...linear("output_transform", head.transform, [c.hidden, c.hidden]),
    ...norm("output_norm", head.norm),
    ...c.tiedHead ? [] : [table("output", head.table, c.vocabulary, "head")],
    vector("output.bias", head.bias, c.vocabulary, "bias"),
  ];
}

function norm(x: Recorder, c: RobertaConfig, hidden: Hidden, name: string): Value {
  return x.norm(hidden, name, { kind: "layer", width: c.hidden, epsilon: c.normEpsilon });
}

function embed(x: Recorder, c: RobertaConfig): Value {
  const tokens = x.embedding("token_embd"); // [B][M][hidden]
  const types = x.embedding("token_types", { by: "nothing" });
  const positions = x.embedding("position_embd", { by: "positions", shift: c.firstPosition });
  return norm(x, c, x.add(x.add(tokens, types), positions), "token_embd_norm");
}

function block(x: Recorder, c: RobertaConfig, hidden: Hidden, layer: number): Value {
  const name = (part: string) => `blk.${layer}.${part}`;
  const { heads, headDimension } = c;

  const [q, k, v] = ["attn_q", "attn_k", "attn_v"].map((part) => x.linear(hidden, name(part)));
  const attended = x.attention(q, k, v, { layer, heads, keyValueHeads: heads, headDimension });
  const sum = x.linear(attended, name("attn_output"), { residual: hidden });
  const between = norm(x, c, sum, name("attn_output_norm"));

  const up = x.activation(x.linear(between, name("ffn_up")), c.activation); // [B][M][feedForward]
  const out = x.linear(up, name("ffn_down"), { residual: between });
  return norm(x, c, out, name("layer_output_norm"));
}

function head(x: Recorder, c: RobertaConfig, hidden: Hidden, rows?: RowList): Value {
  const wanted = rows ? x.pick(hidden, c.hidden, rows) : hidden;
  const kind = c.architecture === BERT.name ? c.activation : "gelu";
  const transformed = x.activation(x.linear(wanted, "output_transform"), kind);
  const last = norm(x, c, transformed, "output_norm");
  return x.linear(last, c.tiedHead ? "token_embd" : "output", { bias: "output" });
}

/**
 * Values can be scaled with the output and, for ReLU, the up-projection with the down-projection. All other matrices read the output of a norm, which
 * the residual connection also reads, or of GELU.
 */
function scalings(c: RobertaConfig, layer: number): ChannelScaling[] {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  return [
    { from: name("attn_v"), into: [name("attn_output")] },
    ...c.activation === "relu" ? [{ from: name("ffn_up"), into: [name("ffn_down")] }] : [],
  ];
}

const KEYS: KeyTable = {
  ...SHARED_CONFIG_KEYS,
  ...keysOf(
    `hidden_size num_hidden_layers num_attention_heads intermediate_size vocab_size max_position_embeddings type_vocab_size layer_norm_eps
     pad_token_id`,
    read(),
  ),
  hidden_act: only(
    Object.keys(ACTIVATIONS),
    `only ${Object.keys(ACTIVATIONS).join(", ")} are`,
  ),
  position_embedding_type: only(["absolute"], "positions are learned"),
  ...keysOf(
    "pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type output_past",
    harmless("about heads that are not read, or about calls"),
  ),

  // Keys of other models that use this model's name, accepted if they have no effect.
  is_decoder: only(
    [],
    "attention is bidirectional; in a decoder, tokens attend only to earlier tokens",
  ),
  ...keysOf("is_causal causal", exactly([false], "attention is bidirectional")),
  directionality: only(["bidi"], "attention is bidirectional"),
  ...keysOf(
    "rope_parameters rope_scaling rope_theta partial_rotary_factor sliding_window",
    only([], "positions are learned, and attention is bidirectional"),
  ),
  embedding_size: only(
    [],
    "the embedding is as wide as the hidden states",
    (value, from) => value === from.hidden_size,
  ),
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
  auto_map: ownCode("RoBERTa or BERT"),
};

function paddingOf(json: Fields, { padding }: Dialect, what: string): number {
  const value = json.pad_token_id === undefined ? padding : json.pad_token_id;
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31) {
    return Number(value);
  }
  throw new RangeError(
    `Cannot read ${what}: "pad_token_id" is ${shown(value)}, not an integer of at least 0`,
  );
}

function readConfig(dialect: Dialect, json: Fields, what: string): RobertaConfig {
  const hidden = positiveInteger(json, "hidden_size", what);
  const heads = positiveInteger(json, "num_attention_heads", what);
  const firstPosition = dialect.firstPosition(paddingOf(json, dialect, what));
  const positions = positiveInteger(json, "max_position_embeddings", what, 512);
  if (positions <= firstPosition) {
    throw new RangeError(
      `Cannot read ${what}: "max_position_embeddings" is ${positions}, of which the first ${firstPosition} are not used for text`,
    );
  }
  return {
    architecture: dialect.name,
    hidden,
    layers: positiveInteger(json, "num_hidden_layers", what),
    heads,
    keyValueHeads: heads,
    headDimension: hidden / heads,
    feedForward: positiveInteger(json, "intermediate_size", what),
    vocabulary: positiveInteger(json, "vocab_size", what),
    context: positions - firstPosition,
    // The defaults for missing keys are those of transformers' class.
    normEpsilon: positiveNumber(json, "layer_norm_eps", what, 1e-12),
    activation: ACTIVATIONS[String(json.hidden_act ?? "gelu")],
    firstPosition,
    tokenTypes: positiveInteger(json, "type_vocab_size", what, 2),
    tiedHead: flag(json, "tie_word_embeddings", what, true),
  };
}

function writeConfig({ name, classes, headClass }: Dialect, c: RobertaConfig) {
  return {
    architectures: [classes[0] + headClass[0]],
    model_type: name,
    hidden_size: c.hidden,
    intermediate_size: c.feedForward,
    num_hidden_layers: c.layers,
    num_attention_heads: c.heads,
    vocab_size: c.vocabulary,
    max_position_embeddings: c.context + c.firstPosition,
    type_vocab_size: c.tokenTypes,
    layer_norm_eps: c.normEpsilon,
    hidden_act: Object.keys(ACTIVATIONS).find((it) => ACTIVATIONS[it] === c.activation),
    position_embedding_type: "absolute",
    pad_token_id: name === ROBERTA.name ? c.firstPosition - 1 : BERT.padding,
    tie_word_embeddings: c.tiedHead,
  };
}

function formOf(dialect: Dialect): HuggingFaceForm<RobertaConfig> {
  const { name, modelTypes, classes, headClass, head } = dialect;
  return {
    modelTypes,
    classes,
    headClass,
    base: name,
    olderNames: [[/(^|\.)LayerNorm\.gamma$/, "$1LayerNorm.weight"], [
      /(^|\.)LayerNorm\.beta$/,
      "$1LayerNorm.bias",
    ]],
    leftOut: [
      {
        pattern: /(^|\.)embeddings\.position_ids$/,
        what: "position ids, which are recomputed, as in transformers",
      },
      {
        pattern: /(^|\.)pooler\.dense\.(weight|bias)$/,
        what: "the pooler, which the masked-token head does not use",
      },
      {
        pattern: /^cls\.seq_relationship\.(weight|bias)$/,
        what: "the next-sentence head, which the masked-token head does not use",
      },
      {
        pattern: new RegExp(`^${head.table.replaceAll(".", "\\.")}\\.bias$`),
        what: `a second name for "${head.bias}", as in transformers`,
      },
    ],
    keys: KEYS,
    read: (json, { what }) => readConfig(dialect, json, what),
    write: (c) => writeConfig(dialect, c),
  };
}

function architectureOf(dialect: Dialect): Architecture<RobertaConfig> {
  return {
    name: dialect.name,
    sees: "all",
    huggingFace: formOf(dialect),
    noGguf: "llama.cpp's files of BERT and RoBERTa have no masked-token head",
    weights: (c) => weights(dialect, c),
    embed,
    block,
    head,
    scalings,
  };
}

/** RoBERTa, XLM-RoBERTa and CamemBERT. */
export const roberta: Architecture<RobertaConfig> = architectureOf(ROBERTA);

/** BERT. */
export const bert: Architecture<RobertaConfig> = architectureOf(BERT);
