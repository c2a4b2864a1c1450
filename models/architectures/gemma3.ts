/**
 * The text part of the Gemma 3 architecture (Gemma Team, arXiv 2503.19786): Gemma 2 without soft caps, with every head of queries and keys normalised
 * before rotation, and windows in five of six layers, which have their own rotary frequencies.
 *
 * @module
 */

import type { Architecture, Weight } from "../architecture.ts";
import { positiveNumber } from "../config/config_checks.ts";
import { type Fields, isObject, read } from "../config/config_keys.ts";
import { ropeSettings } from "../config/config_rope.ts";
import type { ModelConfig } from "../model_config.ts";
import { ropeTable } from "../rope_table.ts";
import { gemma2, gemmaBlock, type GemmaConfig, gemmaForms, gemmaWeights } from "./gemma2.ts";

const forms = gemmaForms({
  names: ["gemma3_text", "gemma3"],
  classes: ["Gemma3", "Gemma3Text"],
  context: 131072,
  caps: [undefined, undefined],
  period: 6,
  periodKey: "sliding_window_pattern",
  largest: 62,
  windowUnsaid: false,
});

/** Shape and constants of a Gemma 3 model. `ropeTheta` and `ropeScaling` apply to layers without a window. */
export interface Gemma3Config extends GemmaConfig {
  /** Base of the frequencies in layers with a window. */
  readonly localRopeTheta: number;
}

function weights(c: Gemma3Config): Weight[] {
  return gemmaWeights(c).flatMap((weight) => {
    if (!/\.attn_[qk]\./.test(weight.name)) return [weight];
    return [weight, {
      ...weight,
      name: weight.name.replace(".weight", "_norm.weight"),
      huggingFace: weight.huggingFace.replace("_proj", "_norm"),
      rows: 1,
      columns: c.headDimension,
      role: "norm",
      fromOne: true,
    }];
  });
}

const isLocal = (c: ModelConfig, layer: number): boolean =>
  c.slidingLayers?.includes(layer) === true;

/** The rotary settings of layers without a window, in the form that other models use, and those of layers with a window. */
function rotations(json: Fields): { readonly all: Fields; readonly local: Fields } {
  const { rope_parameters: given, rope_local_base_freq, ...rest } = json;
  const { full_attention: full, sliding_attention: sliding } = isObject(given) ? given : {};
  const nested = full !== undefined || sliding !== undefined;
  const all: Fields = { ...rest, rope_parameters: nested ? full : given };
  const named = [all.rope_parameters, all.rope_scaling, all].some((it) =>
    isObject(it) && it.rope_theta !== undefined && it.rope_theta !== null
  );
  return {
    all: named ? all : { ...all, rope_theta: 1e6 },
    local: { rope_parameters: sliding, rope_theta: rope_local_base_freq },
  };
}

/** The architecture. */
export const gemma3: Architecture<Gemma3Config> = {
  ...gemma2,
  name: "gemma3",
  weights,
  constants: (c, positions) => {
    const table = (shape: Pick<Gemma3Config, "headDimension" | "ropeTheta" | "ropeScaling">) => ({
      words: positions * c.headDimension,
      values: () => ropeTable(shape, positions),
    });
    const { headDimension, localRopeTheta } = c;
    return { rope: table(c), local: table({ headDimension, ropeTheta: localRopeTheta }) };
  },
  block: (x, c, hidden, layer) =>
    gemmaBlock(x, c, hidden, layer, {
      table: isLocal(c, layer) ? "local" : "rope",
      unrotated: (value, name, heads) =>
        x.norm(value, `${name}_norm`, {
          kind: "rms",
          width: c.headDimension,
          heads,
          epsilon: c.rmsEpsilon,
        }),
    }),
  huggingFace: {
    ...forms.huggingFace,
    keys: {
      ...forms.huggingFace.keys,
      rope_local_base_freq: read(),
      sliding_window_pattern: read(),
    },
    read(json, about) {
      const { what, note } = about;
      const { all, local } = rotations(json);
      const config = forms.huggingFace.read(all, about);
      const { theta, scaling } = ropeSettings(local, config.layers, what, note);
      if (scaling) {
        throw new RangeError(
          `Cannot read ${what}: rope_parameters of sliding_attention ${scaling.type} is not supported: layers with a window are not scaled`,
        );
      }
      return { ...config, localRopeTheta: theta };
    },
    write: ({ localRopeTheta, ...c }) => ({
      ...forms.huggingFace.write(c),
      rope_local_base_freq: localRopeTheta,
    }),
  },
  gguf: {
    ...forms.gguf,
    keys: { ...forms.gguf.keys, "rope.freq_base_swa": read() },
    read: (fields, tensors, about) => ({
      ...forms.gguf.read(fields, tensors, about),
      localRopeTheta: positiveNumber(fields, "rope.freq_base_swa", about.what, 1e4),
    }),
    write: ({ localRopeTheta, ...c }) => ({
      ...forms.gguf.write(c),
      "rope.freq_base_swa": { type: "float32", value: localRopeTheta },
    }),
  },
};
