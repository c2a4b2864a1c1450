/**
 * The Gemma 2 architecture (Gemma Team, arXiv 2408.00118): norms before and after attention and feed-forward layer, sliding windows in every second
 * layer, soft caps on attention scores and logits. Folders store gains minus 1. In GGUF files, the elements of a rotated pair are half a head apart,
 * as in folders.
 *
 * @module
 */

import type { RowList, Value } from "../../kernels/mod.ts";
import type { GgufTyped } from "../../quant/mod.ts";
import type { Architecture, GgufForm, HuggingFaceForm, Weight } from "../architecture.ts";
import { positiveInteger, positiveNumber } from "../config/config_checks.ts";
import { type Fields, keysOf, type KeyTable, noted, only, read } from "../config/config_keys.ts";
import { ownCode } from "../config/shared_config_keys.ts";
import {
  ggufSlides,
  layerTypes,
  layerTypesOf,
  slidesBy,
  windowAnyway,
} from "../config/sliding_window.ts";
import { windowOf } from "../model_config.ts";
import type { Hidden, Recorder } from "../recorder.ts";
import { ropeTable } from "../rope_table.ts";
import { llama, type LlamaConfig } from "./llama.ts";

/** Shape and constants of a Gemma model. */
export interface GemmaConfig extends LlamaConfig {
  /** Products of queries and keys are divided by the square root of this. */
  readonly queryScalar: number;
  /** Soft cap of attention scores: a score s becomes `cap * tanh(s / cap)`. Undefined if there is none. */
  readonly attentionCap?: number | undefined;
  /** Soft cap of logits. Undefined if there is none. */
  readonly logitCap?: number | undefined;
}

/** Norms of a block: names in this library and in GGUF files, and names in folders. */
const NORMS = {
  attn_norm: "input_layernorm",
  post_attention_norm: "post_attention_layernorm",
  ffn_norm: "pre_feedforward_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};

/** All weights of a Gemma model. The norms after attention and feed-forward layer follow the matrices whose outputs they normalise. */
export function gemmaWeights(c: LlamaConfig): Weight[] {
  const behind = { attn_output: "post_attention_norm", ffn_down: "post_ffw_norm" } as const;
  return llama.weights(c).flatMap(({ rotary: _, ...weight }) => {
    const [, layer, part = ""] = /^blk\.(\d+)\.(\w+)\./.exec(weight.name) ?? [];
    const norm = (name: keyof typeof NORMS): Weight => ({
      ...weight,
      name: `blk.${layer}.${name}.weight`,
      huggingFace: `model.layers.${layer}.${NORMS[name]}.weight`,
      rows: 1,
      columns: c.hidden,
      role: "norm",
      fromOne: true,
    });
    if (part in behind) return [weight, norm(behind[part as keyof typeof behind])];
    if (part in NORMS) return [norm(part as keyof typeof NORMS)];
    return [weight.role === "norm" ? { ...weight, fromOne: true } : weight];
  });
}

/** Properties of a layer. */
export interface GemmaLayer {
  /** Name of the table of angles. Default: the table shared by all layers. */
  readonly table?: string;
  /** Transforms queries and keys, given the name of their matrix, before rotation. Default: no change. */
  readonly unrotated?: (value: Value, name: string, heads: number) => Value;
}

/** Records a block of a Gemma model. */
export function gemmaBlock(
  x: Recorder,
  c: GemmaConfig,
  hidden: Hidden,
  layer: number,
  { table = "rope", unrotated = (value) => value }: GemmaLayer = {},
): Value {
  const name = (part: string) => `blk.${layer}.${part}`;
  const norm = (input: Hidden, part: string) =>
    x.norm(input, name(part), { kind: "rms", width: c.hidden, epsilon: c.rmsEpsilon });
  const rotated = (part: string, heads: number) =>
    x.rope(unrotated(x.linear(h, name(part)), name(part), heads), {
      table,
      heads,
      headDimension: c.headDimension,
      interleaved: false,
    });

  const h = norm(hidden, "attn_norm");
  const q = rotated("attn_q", c.heads); // [B][M][heads * head]
  const k = rotated("attn_k", c.keyValueHeads); // [B][M][keyValueHeads * head]
  const v = x.linear(h, name("attn_v"));
  const attended = x.attention(q, k, v, {
    ...c,
    layer,
    window: windowOf(c, layer),
    scale: c.queryScalar ** -0.5,
    cap: c.attentionCap,
  });
  const output = x.linear(attended, name("attn_output"));
  const between = x.add(hidden, norm(output, "post_attention_norm"));

  const f = norm(between, "ffn_norm");
  const gate = x.linear(f, name("ffn_gate")); // [B][M][feedForward]
  const gated = x.activation(gate, "gelu-tanh", x.linear(f, name("ffn_up")));
  return x.add(between, norm(x.linear(gated, name("ffn_down")), "post_ffw_norm"));
}

/** Rows of the embedding, times the square root of their width. This is computed in f32, as in llama.cpp, and as in the reference for f32 weights. */
export function gemmaEmbed(x: Recorder, { hidden }: GemmaConfig): Value {
  return x.embedding("token_embd", { factor: Math.sqrt(hidden) });
}

/** Records the logits of a Gemma model. */
export function gemmaHead(x: Recorder, c: GemmaConfig, hidden: Hidden, rows?: RowList): Value {
  const shape = { kind: "rms", width: c.hidden, epsilon: c.rmsEpsilon, rows } as const;
  const logits = x.linear(
    x.norm(hidden, "output_norm", shape),
    c.tiedHead ? "token_embd" : "output",
  );
  return c.logitCap === undefined ? logits : x.cap(logits, c.logitCap);
}

/** Keys of `config.json` that Gemma models have in addition to those of Llama. */
const GEMMA_KEYS: KeyTable = {
  ...keysOf("query_pre_attn_scalar attn_logit_softcapping final_logit_softcapping", read()),
  hidden_activation: only(
    ["gelu_pytorch_tanh", "gelu_new"],
    "only the tanh form of GELU is supported",
  ),
  ...keysOf(
    "hidden_act activation_function",
    noted("hidden_activation is used instead", (value) => value !== "gelu_pytorch_tanh"),
  ),
  activation: only(["gelu_pytorch_tanh", "geglu"], "only the tanh form of GELU is supported"),
  use_bidirectional_attention: only([], "tokens attend only to earlier tokens"),
};

/** How the files of one Gemma version differ from those of others. */
export interface GemmaKind {
  /** Values of `model_type` and of `general.architecture`. */
  readonly names: readonly [huggingFace: string, gguf: string];
  /** Prefixes of its class names. The first is that of the language model. */
  readonly classes: readonly [string, ...string[]];
  /** Default of `max_position_embeddings`. */
  readonly context: number;
  /** Default caps of attention scores and logits. Undefined if there are none. */
  readonly caps: readonly [number | undefined, number | undefined];
  /** Default period of the layers with windows: the last layer of each period has none. */
  readonly period: number;
  /** Key by which a folder may give the period. */
  readonly periodKey?: string;
  /**
   * Number of layers of the one model size for which llama.cpp divides products by the square root of hidden / heads instead of the head width. No
   * key says so.
   */
  readonly largest: number;
  /** Whether layers have a window of 4096 if a GGUF file gives none. */
  readonly windowUnsaid: boolean;
}

/** The forms of a Gemma version. Rotary settings are those of Llama. */
export function gemmaForms(
  kind: GemmaKind,
): {
  readonly huggingFace: HuggingFaceForm<GemmaConfig>;
  readonly gguf: GgufForm<GemmaConfig>;
} {
  const { names: [modelType, architecture], classes, caps, period } = kind;
  const [title] = classes;
  const bounds = (from: Fields, what: string, none: null | 0) => {
    const bound = (key: string, fallback: number | undefined) => {
      const absent = from[key] === undefined && fallback === undefined;
      return absent || from[key] === none ? undefined : positiveNumber(from, key, what, fallback);
    };
    return {
      attentionCap: bound("attn_logit_softcapping", caps[0]),
      logitCap: bound("final_logit_softcapping", caps[1]),
    };
  };
  const scalarInGguf = (c: LlamaConfig) =>
    c.layers === kind.largest ? c.hidden / c.heads : c.headDimension;
  return {
    huggingFace: {
      ...llama.huggingFace,
      modelTypes: [modelType],
      classes,
      keys: { ...llama.huggingFace.keys, ...GEMMA_KEYS, auto_map: ownCode(title) },
      read({ layer_types, sliding_window = 4096, ...json }, about) {
        const { what } = about;
        // A value of null differs from a missing key: it means as many key-value heads as heads.
        const config = llama.huggingFace.read({
          ...json,
          num_attention_heads: json.num_attention_heads ?? 8,
          num_key_value_heads: json.num_key_value_heads === undefined
            ? 4
            : json.num_key_value_heads,
          head_dim: json.head_dim ?? 256,
          max_position_embeddings: json.max_position_embeddings ?? kind.context,
        }, about);
        const types = layerTypes({ layer_types }, config.layers, what);
        const every = kind.periodKey ? positiveInteger(json, kind.periodKey, what, period) : period;
        const slides = (layer: number) =>
          types ? types[layer] === "sliding_attention" : slidesBy(every, layer);
        return {
          ...config,
          architecture,
          queryScalar: positiveNumber(json, "query_pre_attn_scalar", what, 256),
          ...bounds(json, what, null),
          tiedHead: json.tie_word_embeddings !== false,
          ...sliding_window !== null && windowAnyway(
            positiveInteger({ sliding_window }, "sliding_window", what),
            slides,
            config.layers,
          ),
        };
      },
      write: ({ slidingWindow, slidingLayers, ...c }) => ({
        ...llama.huggingFace.write(c),
        architectures: [`${title}ForCausalLM`],
        model_type: modelType,
        hidden_act: "gelu_pytorch_tanh",
        hidden_activation: "gelu_pytorch_tanh",
        query_pre_attn_scalar: c.queryScalar,
        attn_logit_softcapping: c.attentionCap ?? null,
        final_logit_softcapping: c.logitCap ?? null,
        sliding_window: slidingWindow ?? null,
        ...slidingWindow !== undefined && {
          layer_types: layerTypesOf({ layers: c.layers, slidingLayers }),
        },
      }),
    },
    gguf: {
      ...llama.gguf!,
      ropeFactors: undefined,
      keys: {
        ...llama.gguf!.keys,
        ...keysOf("attn_logit_softcapping final_logit_softcapping", read()),
        hidden_activation: only(["gelu_pytorch_tanh"], "only the tanh form of GELU is supported"),
      },
      read(fields, tensors, about) {
        const { what } = about;
        const key = "attention.sliding_window";
        const config = llama.gguf!.read({ ...fields, [key]: 0 }, tensors, about);
        const window = fields[key] ?? 4096;
        return {
          ...config,
          architecture,
          ropeInterleaved: false,
          queryScalar: scalarInGguf(config),
          ...bounds(fields, what, 0),
          ...window !== 0 && windowAnyway(
            positiveInteger({ [key]: window }, key, what),
            fields[key] === undefined && !kind.windowUnsaid
              ? () => false
              : ggufSlides(fields, config.layers, what, period),
            config.layers,
          ),
        };
      },
      write({ slidingWindow, slidingLayers, ...c }) {
        const refuse = (what: string): never => {
          throw new RangeError(
            `Cannot write GGUF: llama.cpp does not support ${architecture} with ${what}; write a folder instead`,
          );
        };
        const usual = Array.from({ length: c.layers }, (_, i) => i)
          .filter((layer) => slidesBy(period, layer));
        // Without the key, the architecture's usual layers have windows.
        const slides = slidingWindow !== undefined && slidingLayers?.length !== 0;
        const isUsual = slides ? slidingLayers?.join() === usual.join() : !kind.windowUnsaid;
        if (!isUsual) {
          refuse(`windows in layers other than ${period - 1} of every ${period}`);
        }
        if (c.queryScalar !== scalarInGguf(c)) {
          refuse(`query_pre_attn_scalar ${c.queryScalar}, only with ${scalarInGguf(c)}`);
        }
        if ((c.attentionCap === undefined) !== (caps[0] === undefined)) {
          refuse(`attn_logit_softcapping ${c.attentionCap ?? null}`);
        }
        if ((c.logitCap === undefined) !== (caps[1] === undefined)) {
          refuse(`final_logit_softcapping ${c.logitCap ?? null}`);
        }
        if (!c.tiedHead) refuse("a separate head");
        const { type = "linear" } = c.ropeScaling ?? {};
        if (type !== "linear") refuse(`rotary scaling of type "${type}"`);
        const f32 = (value: number): GgufTyped => ({ type: "float32", value });
        return {
          ...llama.gguf!.write(c),
          ...slides && { "attention.sliding_window": { type: "uint32", value: slidingWindow } },
          ...c.attentionCap !== undefined && { attn_logit_softcapping: f32(c.attentionCap) },
          ...c.logitCap !== undefined && { final_logit_softcapping: f32(c.logitCap) },
        };
      },
    },
  };
}

/** The architecture. */
export const gemma2: Architecture<GemmaConfig> = {
  ...llama,
  ...gemmaForms({
    names: ["gemma2", "gemma2"],
    classes: ["Gemma2"],
    context: 8192,
    caps: [50, 30],
    period: 2,
    largest: 46,
    windowUnsaid: true,
  }),
  name: "gemma2",
  weights: gemmaWeights,
  constants: (c, positions) => ({
    rope: { words: positions * c.headDimension, values: () => ropeTable(c, positions) },
  }),
  embed: gemmaEmbed,
  block: (x, c, hidden, layer) => gemmaBlock(x, c, hidden, layer),
  head: gemmaHead,
};
