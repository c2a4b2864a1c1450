/**
 * The Phi-3 architecture (Abdin et al., arXiv 2404.14219; Phi-3, Phi-3.5 mini, Phi-4): Llama with one matrix for queries, keys and values, and one
 * for gate and up-projection. In GGUF files, the elements of a rotated pair are half a head apart, as in folders.
 *
 * @module
 */

import type { Value } from "../../kernels/mod.ts";
import type { GgufTyped } from "../../quant/mod.ts";
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
import { windowOf } from "../model_config.ts";
import type { Hidden, Recorder } from "../recorder.ts";
import { ropeTable } from "../rope_table.ts";
import { llama, type LlamaConfig } from "./llama.ts";

const NAME = "phi3";

/** Shape and constants of a Phi-3 model. */
export interface Phi3Config extends LlamaConfig {
  /** Number of elements rotated at the start of each head. Undefined if all are. */
  readonly rotaryDimension?: number | undefined;
  /** LongRoPE. Undefined if the model does not use it. */
  readonly longRope?: LongRope | undefined;
}

/** Rotation of a model for long texts. As in llama.cpp, `long` applies to all positions if the model is loaded for more than `original`. */
export interface LongRope {
  /** Divisors of the frequencies, one per pair. */
  readonly short: readonly number[];
  /** Divisors for longer sequences. */
  readonly long: readonly number[];
  /** Longest sequence for which the short divisors are used. */
  readonly original: number;
  /** Longest sequence that the file supports. */
  readonly longest: number;
  /** Factor for cosines and sines, if the file gives one. Otherwise it follows from the two lengths. */
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
    x.rope(input, {
      table: "rope",
      heads,
      headDimension: c.headDimension,
      rotated: c.rotaryDimension,
      interleaved: false,
    });

  const qkv = x.linear(norm(hidden, "attn_norm"), name("attn_qkv")); // [B][M][queries + 2 keys]
  const of = queries(c) + 2 * keys(c);
  const q = x.columns(qkv, { of, first: 0, count: queries(c) });
  const k = x.columns(qkv, { of, first: queries(c), count: keys(c) });
  const v = x.columns(qkv, { of, first: queries(c) + keys(c), count: keys(c) });
  const attended = x.attention(rotated(q, c.heads), rotated(k, c.keyValueHeads), v, {
    ...c,
    layer,
    window: windowOf(c, layer),
  });
  const between = x.linear(attended, name("attn_output"), { residual: hidden });

  const both = x.linear(norm(between, "ffn_norm"), name("ffn_up")); // [B][M][2 feedForward]
  const half = { of: 2 * c.feedForward, count: c.feedForward };
  const gate = x.columns(both, { ...half, first: 0 });
  const up = x.columns(both, { ...half, first: c.feedForward });
  const gated = x.activation(gate, "silu", up);
  return x.linear(gated, name("ffn_down"), { residual: between });
}

/** Gains can be scaled with the matrices that follow them. */
function scalings(_: Phi3Config, layer: number): ChannelScaling[] {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  return [
    { from: name("attn_norm"), into: [name("attn_qkv")] },
    { from: name("ffn_norm"), into: [name("ffn_up")] },
  ];
}

/** Applies the defaults of transformers' class. */
function withDefaults(json: Fields): Fields {
  return {
    ...json,
    max_position_embeddings: json.max_position_embeddings ?? 4096,
    rms_norm_eps: json.rms_norm_eps ?? 1e-5,
  };
}

/** Names of LongRoPE. The older ones occur in the first versions of Phi-3's files. */
const LONG: readonly unknown[] = ["longrope", "su", "yarn"];

/** Keys of LongRoPE. */
const LONG_KEYS: KeyTable = {
  ...keysOf(
    "rope_type type factor rope_theta short_factor long_factor attention_factor original_max_position_embeddings",
    read(),
  ),
  ...keysOf("short_mscale long_mscale mscale mscale_all_dim", only([], "used by other models")),
};

const PARTIAL = "partial_rotary_factor";

/** The number of rotated elements of a head, and the configuration without the keys that give it. */
function rotaryDimension(
  json: Fields,
  what: string,
): { readonly rotary: number | undefined; readonly rest: Fields } {
  const places = ["rope_parameters", "rope_scaling"].filter((it) => isObject(json[it]));
  const given = [json, ...places.map((it) => json[it] as Fields)]
    .map((it) => it[PARTIAL]).filter((it) => it !== undefined && it !== null);
  const rest: Record<string, unknown> = { ...json, [PARTIAL]: undefined };
  for (const place of places) rest[place] = { ...json[place] as Fields, [PARTIAL]: undefined };
  if (given.length === 0) return { rotary: undefined, rest };
  const [share] = given;
  const width = Number(headWidth(json));
  const rotary = Math.floor(width * Number(share));
  if (given.some((it) => it !== share) || typeof share !== "number" || !(share > 0 && share <= 1)) {
    throw new RangeError(
      `Cannot read ${what}: ${PARTIAL} is ${
        given.map(shown).join(" and ")
      }, not a single fraction of at most 1`,
    );
  }
  if (rotary % 2 !== 0 || rotary === 0) {
    throw new RangeError(
      `Cannot read ${what}: ${PARTIAL} ${share} of ${
        shown(width)
      } is ${rotary} elements, which do not form pairs`,
    );
  }
  return { rotary: rotary === width ? undefined : rotary, rest };
}

/** The fraction from which {@linkcode rotaryDimension} computes the same number. */
function shareOf({ rotaryDimension: rotary, headDimension }: Phi3Config): number | undefined {
  if (rotary === undefined) return undefined;
  const share = rotary / headDimension;
  return Math.floor(share * headDimension) === rotary ? share : (rotary + 0.5) / headDimension;
}

/** LongRoPE settings, the context, and the configuration without them. Undefined if the file does not use LongRoPE. */
function longRope(
  json: Fields,
  rotary: number | undefined,
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
  const pairs = (rotary ?? Number(headWidth(json))) / 2;
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
      `${what}: ${key} changes the rotation beyond ${context} of ${longest} positions; sequences are limited to ${context}, unless the model is loaded for more (maxPositions), in which case all positions are rotated that way`,
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

/** The default factor for cosines and sines at this ratio of lengths. */
function usualMagnitude(stretch: number, context: number): number {
  return stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(context));
}

/** The factor for cosines and sines. */
function magnitudeOf({ longest, original, magnitude }: LongRope): number {
  return magnitude ?? usualMagnitude(longest / original, original);
}

const [SHORT_NAME, LONG_NAME] = ["rope_factors_short.weight", "rope_factors_long.weight"];

/** LongRoPE settings in a GGUF file. Undefined if there are none. */
function longRopeInGguf(
  fields: Fields,
  vectors: ReadonlyMap<string, Float32Array> | undefined,
  rotary: number,
  { what, note }: ReadAbout,
): LongRope | undefined {
  const [short, long] = [SHORT_NAME, LONG_NAME].map((it) => vectors?.get(it));
  if (!short && !long) return undefined;
  if (short?.length !== rotary / 2 || long?.length !== rotary / 2) {
    throw new RangeError(
      `Cannot read ${what}: it has ${short?.length ?? 0} numbers in "${SHORT_NAME}" and ${
        long?.length ?? 0
      } in "${LONG_NAME}", expected ${rotary / 2} in each, one for each pair`,
    );
  }
  const longest = positiveInteger(fields, "context_length", what);
  const lengths = positiveInteger(fields, "rope.scaling.original_context_length", what, longest);
  const original = Math.min(lengths, longest);
  const found = { short: [...short], long: [...long], original, longest };
  const magnitude = positiveNumber(fields, "rope.scaling.attn_factor", what, 1);
  if (original < longest) {
    note(
      `${what}: the rotation changes beyond ${original} of ${longest} positions; sequences are limited to ${original}, unless the model is loaded for more (maxPositions), in which case all positions are rotated that way`,
    );
  }
  // Compared with a tolerance, because files store f32.
  const isUsual = Math.abs(magnitude / magnitudeOf(found) - 1) < 1e-6;
  return { ...found, ...!isUsual && { magnitude } };
}

/** The architecture. */
export const phi3: Architecture<Phi3Config> = {
  ...llama,
  name: NAME,
  weights,
  block,
  scalings,
  constants: (c, positions) => {
    const { longRope: long, rotaryDimension: headDimension = c.headDimension } = c;
    const shape = { ...c, headDimension };
    return {
      rope: {
        words: positions * headDimension,
        values: () => {
          if (!long) return ropeTable(shape, positions);
          const factors = positions > long.original ? long.long : long.short;
          return ropeTable(shape, positions, Float32Array.from(factors))
            .map((it) => it * magnitudeOf(long));
        },
      },
    };
  },
  huggingFace: {
    ...llama.huggingFace,
    modelTypes: [NAME],
    classes: ["Phi3"],
    keys: {
      ...llama.huggingFace.keys,
      ...keysOf(`original_max_position_embeddings ${PARTIAL}`, read()),
      resid_pdrop: harmless("used only in training by other programs"),
      auto_map: ownCode("Phi-3"),
    },
    read(given, about) {
      const { rotary, rest } = rotaryDimension(withDefaults(given), about.what);
      const long = longRope(rest, rotary, about);
      const config = llama.huggingFace.read(long?.rest ?? rest, about);
      return {
        ...config,
        architecture: NAME,
        ...rotary !== undefined && { rotaryDimension: rotary },
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
        sliding_window: c.slidingWindow ?? null,
        ...c.rotaryDimension !== undefined && { [PARTIAL]: shareOf(c) },
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
    keys: { ...llama.gguf!.keys, "rope.scaling.attn_factor": read() },
    vectors: {
      names: [SHORT_NAME, LONG_NAME],
      of: ({ longRope: long }) =>
        new Map(
          long
            ? [[SHORT_NAME, Float32Array.from(long.short)], [
              LONG_NAME,
              Float32Array.from(long.long),
            ]]
            : [],
        ),
    },
    read(fields, tensors, about) {
      const { "rope.dimension_count": given, "rope.scaling.attn_factor": factor, ...rest } = fields;
      const isLong = (tensors.vectors?.size ?? 0) > 0;
      // The scaling is contained in the vectors.
      const { "rope.scaling.type": _, "rope.scaling.factor": __, ...plain } = rest;
      const config = llama.gguf!.read(isLong ? plain : rest, tensors, about);
      const { headDimension, context } = config;
      const key = "rope.dimension_count";
      const rotary = positiveInteger({ [key]: given ?? headDimension }, key, about.what);
      if (rotary > headDimension || rotary % 2 !== 0) {
        throw new RangeError(
          `Cannot read ${about.what}: ${key} ${rotary} does not give whole pairs in a head of ${headDimension}`,
        );
      }
      const long = longRopeInGguf(fields, tensors.vectors, rotary, about);
      if (!long && factor !== undefined && factor !== 1) {
        throw new RangeError(
          `Cannot read ${about.what}: rope.scaling.attn_factor ${
            shown(factor)
          } is not supported without "${SHORT_NAME}" and "${LONG_NAME}"`,
        );
      }
      return {
        ...config,
        architecture: NAME,
        ropeInterleaved: false,
        ...rotary !== headDimension && { rotaryDimension: rotary },
        ...long && { longRope: long, context: Math.min(long.original, context) },
      };
    },
    write({ longRope: long, ...c }) {
      if (c.ropeScaling?.type === "llama3") {
        throw new RangeError(
          'Cannot write GGUF: rotary scaling of type "llama3" cannot be represented in files of phi3; write a folder instead',
        );
      }
      const u32 = (value: number): GgufTyped => ({ type: "uint32", value });
      return {
        ...llama.gguf!.write(c),
        "rope.dimension_count": u32(c.rotaryDimension ?? c.headDimension),
        ...long && {
          context_length: u32(long.longest),
          "rope.scaling.original_context_length": u32(long.original),
          "rope.scaling.attn_factor": { type: "float32", value: magnitudeOf(long) },
        },
      };
    },
  },
};
