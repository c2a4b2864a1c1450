/**
 * The Phi-3 architecture (Abdin et al., arXiv 2404.14219; Phi-3, Phi-3.5 mini, Phi-4): that of Llama with queries, keys and values as one matrix, and
 * gate and way up as another. GGUF files of it have the pairs of a head half a head apart, as folders do.
 *
 * @module
 */

import type { Value } from "../../kernels/mod.ts";
import type { Architecture, ChannelScaling, ReadAbout, Weight } from "../architecture.ts";
import { positiveInteger, positiveNumber } from "../config/config_checks.ts";
import {
  checkKeys,
  type Fields,
  harmless,
  isObject,
  keysOf,
  type KeyTable,
  only,
  read,
  shown,
} from "../config/config_keys.ts";
import { headWidth, ownCode } from "../config/shared_config_keys.ts";
import type { Hidden, Recorder } from "../recorder.ts";
import { ropeTable } from "../rope_table.ts";
import { llama, type LlamaConfig } from "./llama.ts";

const NAME = "phi3";

/** Shape and constants of a Phi-3 model. */
export interface Phi3Config extends LlamaConfig {
  /** Of "longrope", for sequences up to the context. */
  readonly longRope?: LongRope | undefined;
}

/** How a model for long texts is rotated: one way in sequences up to its context, which is where the other would begin. */
export interface LongRope {
  /** Divisors of the frequencies, one a pair. */
  readonly short: readonly number[];
  /** Those of longer sequences, kept for files that are written. */
  readonly long: readonly number[];
  /** The longest sequences that are rotated the one way. */
  readonly original: number;
  /** Positions that the file is for. */
  readonly longest: number;
  /** What cosines and sines are multiplied by, where the file says it; else it follows from the two lengths. */
  readonly magnitude?: number | undefined;
}

const queries = (c: LlamaConfig) => c.heads * c.headDimension;
const keys = (c: LlamaConfig) => c.keyValueHeads * c.headDimension;

function weights(c: Phi3Config): Weight[] {
  return llama.weights(c).flatMap(({ rotary: _, ...weight }) => {
    const [, part] = /\.(attn_[kqv]|ffn_gate|ffn_up)\./.exec(weight.name) ?? [];
    if (part === "attn_k" || part === "attn_v" || part === "ffn_gate") return [];
    if (part === "attn_q") {
      return [{
        ...weight,
        name: weight.name.replace(part, "attn_qkv"),
        huggingFace: weight.huggingFace.replace("q_proj", "qkv_proj"),
        rows: queries(c) + 2 * keys(c),
      }];
    }
    if (part !== "ffn_up") return [weight];
    const huggingFace = weight.huggingFace.replace("up_proj", "gate_up_proj");
    return [{ ...weight, huggingFace, rows: 2 * c.feedForward }];
  });
}

function block(x: Recorder, c: Phi3Config, hidden: Hidden, layer: number): Value {
  const name = (part: string) => `blk.${layer}.${part}`;
  const norm = (input: Hidden, part: string) =>
    x.norm(input, name(part), { kind: "rms", width: c.hidden, epsilon: c.rmsEpsilon });
  const rotated = (input: Value, heads: number) =>
    x.rope(input, { table: "rope", heads, headDimension: c.headDimension, interleaved: false });

  const qkv = x.linear(norm(hidden, "attn_norm"), name("attn_qkv")); // [B][M][queries + 2 keys]
  const of = queries(c) + 2 * keys(c);
  const q = x.columns(qkv, { of, first: 0, count: queries(c) });
  const k = x.columns(qkv, { of, first: queries(c), count: keys(c) });
  const v = x.columns(qkv, { of, first: queries(c) + keys(c), count: keys(c) });
  const attended = x.attention(rotated(q, c.heads), rotated(k, c.keyValueHeads), v, {
    ...c,
    layer,
  });
  const between = x.linear(attended, name("attn_output"), { residual: hidden });

  const both = x.linear(norm(between, "ffn_norm"), name("ffn_up")); // [B][M][2 feedForward]
  const half = { of: 2 * c.feedForward, count: c.feedForward };
  const gate = x.columns(both, { ...half, first: 0 });
  const up = x.columns(both, { ...half, first: c.feedForward });
  const gated = x.activation(gate, "silu", up);
  return x.linear(gated, name("ffn_down"), { residual: between });
}

/** Gains into what follows them. */
function scalings(_: Phi3Config, layer: number): ChannelScaling[] {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  return [
    { from: name("attn_norm"), into: [name("attn_qkv")] },
    { from: name("ffn_norm"), into: [name("ffn_up")] },
  ];
}

/** What its class takes where a file has no key. */
function withDefaults(json: Fields): Fields {
  return {
    ...json,
    max_position_embeddings: json.max_position_embeddings ?? 4096,
    rms_norm_eps: json.rms_norm_eps ?? 1e-5,
  };
}

/** Names of the rotation for long texts: the older ones stand in the files of Phi-3's first versions. */
const LONG: readonly unknown[] = ["longrope", "su", "yarn"];

/** The keys of such a rotation. */
const LONG_KEYS: KeyTable = {
  ...keysOf(
    "rope_type type factor rope_theta short_factor long_factor attention_factor original_max_position_embeddings",
    read(),
  ),
  partial_rotary_factor: only([1], "only all of a head is rotated"),
  ...keysOf("short_mscale long_mscale mscale mscale_all_dim", only([], "of other models")),
};

/** The rotation for long texts, the context, and what is left of a configuration without it; undefined for files without one. */
function longRope(
  json: Fields,
  { what, note }: ReadAbout,
): { readonly rope: LongRope; readonly context: number; readonly rest: Fields } | undefined {
  const key = ["rope_parameters", "rope_scaling"].find((it) =>
    isObject(json[it]) && LONG.includes(json[it].rope_type ?? json[it].type)
  );
  if (key === undefined) return undefined;
  const from = json[key] as Fields;
  checkKeys(from, LONG_KEYS, { what, path: key, note });
  const longest = positiveInteger(json, "max_position_embeddings", what);
  const lengths = { ...from, ...json };
  const original = positiveInteger(lengths, "original_max_position_embeddings", what, 4096);
  const context = Math.min(original, longest);
  const pairs = Number(headWidth(json)) / 2;
  const factors = (name: string): number[] => {
    const list = from[name];
    const isFactor = (value: unknown) => typeof value === "number" && 0 < value && value < Infinity;
    if (Array.isArray(list) && list.length === pairs && list.every(isFactor)) return list;
    throw new RangeError(
      `Cannot read ${what}: ${key}.${name} ${
        shown(list)
      } is not a list of ${pairs} positive numbers, one for each pair of a head`,
    );
  };
  const given = from.attention_factor ?? undefined;
  const stretch = from.factor ?? undefined;
  const magnitude = given !== undefined
    ? positiveNumber(from, "attention_factor", what)
    : stretch !== undefined
    ? usualMagnitude(positiveNumber(from, "factor", what), context)
    : undefined;
  if (context < longest) {
    note(
      `${what}: ${key} rotates otherwise beyond ${context} of ${longest} positions; sequences are limited to ${context}`,
    );
  }
  return {
    rope: {
      short: factors("short_factor"),
      long: factors("long_factor"),
      original: context,
      longest,
      magnitude,
    },
    context,
    rest: { ...json, [key]: undefined, rope_theta: json.rope_theta ?? from.rope_theta },
  };
}

/** What a rotation that is stretched so much is multiplied by. */
function usualMagnitude(stretch: number, context: number): number {
  return stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(context));
}

/** The architecture. */
export const phi3: Architecture<Phi3Config> = {
  ...llama,
  name: NAME,
  weights,
  block,
  scalings,
  constants: (c, positions) => ({
    rope: {
      words: positions * c.headDimension,
      values: () => {
        const { longRope: long } = c;
        if (!long) return ropeTable(c, positions);
        const { magnitude = usualMagnitude(long.longest / long.original, long.original) } = long;
        return ropeTable(c, positions, Float32Array.from(long.short)).map((it) => it * magnitude);
      },
    },
  }),
  huggingFace: {
    ...llama.huggingFace,
    modelTypes: [NAME],
    classes: ["Phi3"],
    keys: {
      ...llama.huggingFace.keys,
      ...keysOf("original_max_position_embeddings", read()),
      resid_pdrop: harmless("of training elsewhere"),
      auto_map: ownCode("Phi-3"),
    },
    read(given, about) {
      const json = withDefaults(given);
      const long = longRope(json, about);
      const config = llama.huggingFace.read(long?.rest ?? json, about);
      return {
        ...config,
        architecture: NAME,
        ...long && { longRope: long.rope, context: Math.min(long.context, config.context) },
      };
    },
    write({ longRope: long, ...c }) {
      return {
        ...llama.huggingFace.write(c),
        architectures: ["Phi3ForCausalLM"],
        model_type: NAME,
        max_position_embeddings: long?.longest ?? c.context,
        original_max_position_embeddings: long?.original ?? c.context,
        sliding_window: null,
        ...long && {
          rope_scaling: {
            type: "longrope",
            short_factor: long.short,
            long_factor: long.long,
            ...long.magnitude !== undefined && { attention_factor: long.magnitude },
          },
        },
      };
    },
  },
  gguf: {
    ...llama.gguf!,
    ropeFactors: undefined,
    read: (fields, tensors, about) => ({
      ...llama.gguf!.read(fields, tensors, about),
      architecture: NAME,
      ropeInterleaved: false,
    }),
    write(c) {
      if (c.longRope) {
        throw new RangeError(
          "Cannot write GGUF: factors for each pair of a head (longrope) are not written there; write a folder instead",
        );
      }
      return llama.gguf!.write(c);
    },
  },
};
