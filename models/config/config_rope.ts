/**
 * Rotary embeddings in a Hugging Face `config.json`: `rope_theta` and `rope_scaling` (transformers 4), or `rope_parameters` with both (transformers
 * 5), once or per type of layer.
 *
 * @module
 */

import type { RopeScaling } from "../model_config.ts";
import { usualMagnitude } from "../rope_table.ts";
import { flag, positiveInteger, positiveNumber } from "./config_checks.ts";
import {
  checkKeys,
  type Fields,
  harmless,
  isEmpty,
  isObject,
  keysOf,
  type KeyTable,
  type Note,
  only,
  read,
  shown,
} from "./config_keys.ts";

/** The supported types. `dynamic` changes nothing within the context. */
const ROPE_TYPES: readonly string[] = ["default", "linear", "llama3", "yarn", "dynamic"];

const ofYarn = (_: unknown, from: Fields) => (from.rope_type ?? from.type) === "yarn";

/** The keys of `rope_scaling` and `rope_parameters` for the supported types. */
export const ROPE_KEYS: KeyTable = {
  ...keysOf(
    "rope_type type factor rope_theta low_freq_factor high_freq_factor original_max_position_embeddings beta_fast beta_slow truncate",
    read(),
  ),
  partial_rotary_factor: only([1], "the whole head is rotated"),
  attention_factor: only([1], "only yarn uses it", ofYarn),
  ...keysOf("mscale mscale_all_dim", only([0, 1], "only yarn uses it", ofYarn)),
  ...keysOf("extrapolation_factor attn_factor", only([1], "a variant of yarn in other programs")),
  ...keysOf(
    "short_factor long_factor short_mscale long_mscale",
    only([], "longrope's factors for each pair of a head"),
  ),
  alpha: only([1], "used by dynamic scaling"),
  mrope_section: only([], "used for positions in images"),
  mrope_interleaved: only([], "used for positions in images"),
  finetuned: harmless("how the value was obtained"),
};

/** Base of the frequencies and scaling of a model. */
export interface RopeSettings {
  /** Base of the frequencies. */
  readonly theta: number;
  /** Scaling of the frequencies. Undefined if there is none. */
  readonly scaling: RopeScaling | undefined;
}

/**
 * Reads base and scaling from a configuration. If both old and new keys are present, they must agree.
 *
 * @throws {RangeError} when a type is not supported, keys contradict each other, or layers differ. The message gives key and value.
 */
export function ropeSettings(
  from: Fields,
  layers: number,
  what: string,
  note: Note,
): RopeSettings {
  const parameters = oneForAll(from, layers, what);
  const found = [
    settingsOf(parameters, "rope_parameters", from, what, note),
    settingsOf(from.rope_scaling, "rope_scaling", from, what, note),
  ].filter((it) => it !== undefined);
  const [first, second] = found;
  const theta = agreed(
    "rope_theta",
    [from.rope_theta ?? undefined, ...found.map((it) => it.theta)],
    what,
  );
  if (second && JSON.stringify(first.scaling) !== JSON.stringify(second.scaling)) {
    throw new RangeError(
      `Cannot read ${what}: rope_parameters ${shown(from.rope_parameters)} and rope_scaling ${
        shown(from.rope_scaling)
      } contradict each other; remove the wrong one`,
    );
  }
  return {
    theta: positiveNumber({ rope_theta: theta }, "rope_theta", what, 1e4),
    scaling: first?.scaling,
  };
}

/** The common value of those that are present. */
function agreed(key: string, values: readonly unknown[], what: string): unknown {
  const there = values.filter((value) => value !== undefined);
  if (there.some((value) => value !== there[0])) {
    throw new RangeError(
      `Cannot read ${what}: ${key} is ${
        there.map(shown).join(" and ")
      } in different places; remove the wrong one`,
    );
  }
  return there[0];
}

// Handles a table by type of layer, such as {full_attention: {...}, sliding_attention: {...}}.
function oneForAll(from: Fields, layers: number, what: string): unknown {
  const given = from.rope_parameters;
  if (!isObject(given) || !Object.keys(given).some((key) => key.endsWith("_attention"))) {
    return given;
  }
  const types = Array.isArray(from.layer_types)
    ? [...new Set(from.layer_types.slice(0, layers))]
    : Object.keys(given);
  const used = types.map((type) => given[String(type)]);
  const wanting = types.find((_, i) => !isObject(used[i]));
  if (wanting !== undefined) {
    throw new RangeError(
      `Cannot read ${what}: rope_parameters ${shown(given)} has no object for ${shown(wanting)}`,
    );
  }
  const sorted = (value: unknown) =>
    JSON.stringify(Object.entries(value as Fields).sort(([a], [b]) => a < b ? -1 : 1));
  if (used.some((value) => sorted(value) !== sorted(used[0]))) {
    throw new RangeError(
      `Cannot read ${what}: rope_parameters ${
        shown(given)
      } differ between layers, but only one rotation for all layers is supported`,
    );
  }
  return used[0];
}

function settingsOf(
  value: unknown,
  path: string,
  config: Fields,
  what: string,
  note: Note,
): { theta: unknown; scaling: RopeScaling | undefined } | undefined {
  if (isEmpty(value)) return undefined;
  if (!isObject(value)) {
    throw new RangeError(`Cannot read ${what}: ${path} ${shown(value)} is not an object`);
  }
  const type =
    agreed(`${path} rope_type`, [value.rope_type ?? undefined, value.type ?? undefined], what) ??
      (value.factor === undefined ? "default" : undefined);
  if (typeof type !== "string" || !ROPE_TYPES.includes(type)) {
    throw new RangeError(
      `Cannot read ${what}: ${path} ${
        type === undefined
          ? `${shown(value)} has no rope_type; `
          : `${shown(type)} is not supported, `
      }expected one of ${ROPE_TYPES.map((it) => `"${it}"`).join(", ")}`,
    );
  }
  checkKeys(value, ROPE_KEYS, { what, path, note });
  const theta = value.rope_theta ?? undefined;
  const at = `${what} ${path}`;
  const ofOthers = ["beta_fast", "beta_slow", "truncate"].filter((key) => !isEmpty(value[key]));
  if (type !== "yarn" && ofOthers.length > 0) {
    note(
      `${what}: ${path}.${ofOthers[0]} ${shown(value[ofOthers[0]])} is ignored: only yarn uses it`,
    );
  }
  if (type === "yarn") return { theta, scaling: yarn(value, config, at) };
  if (type === "dynamic") {
    const factor = positiveNumber(value, "factor", at);
    note(
      `${what}: ${path} "dynamic" changes nothing up to max_position_embeddings ${
        shown(config.max_position_embeddings)
      }, and longer sequences are not read`,
    );
    return { theta, scaling: { type, factor } };
  }
  if (type === "default") {
    if (value.factor !== undefined && value.factor !== null && value.factor !== 1) {
      note(`${what}: ${path}.factor ${shown(value.factor)} is ignored: its rope_type is default`);
    }
    return { theta, scaling: undefined };
  }
  const factor = positiveNumber(value, "factor", at);
  if (type === "linear") return { theta, scaling: { type, factor } };
  const original = agreed(
    "original_max_position_embeddings",
    [value, config].map((it) => it.original_max_position_embeddings ?? undefined),
    what,
  );
  const [low, high] = ["low_freq_factor", "high_freq_factor"].map((key) =>
    positiveNumber(value, key, at)
  );
  if (low >= high) {
    throw new RangeError(
      `Cannot read ${at}: high_freq_factor ${high} is not above low_freq_factor ${low}`,
    );
  }
  return {
    theta,
    scaling: {
      type: "llama3",
      factor,
      lowFrequencyFactor: low,
      highFrequencyFactor: high,
      originalContext: positiveInteger(
        { original_max_position_embeddings: original },
        "original_max_position_embeddings",
        at,
      ),
    },
  };
}

/** YaRN scaling, with transformers' defaults for missing keys. */
function yarn(value: Fields, config: Fields, at: string): RopeScaling {
  const key = "original_max_position_embeddings";
  const longest = positiveInteger(config, "max_position_embeddings", at);
  if ([value.factor, value[key], config[key]].every(isEmpty)) {
    throw new RangeError(
      `Cannot read ${at}: rope_scaling "yarn" has neither "factor" nor "${key}"; add the factor that the context is extended by`,
    );
  }
  const originalContext = positiveInteger(
    { [key]: config[key] ?? value[key] ?? longest },
    key,
    at,
  );
  const factor = positiveNumber(value, "factor", at, longest / originalContext);
  const beta = (name: string) =>
    value[name] === 0 || value[name] === false || value[name] === null || value[name] === undefined
      ? undefined
      : positiveNumber(value, name, at);
  const [betaFast, betaSlow] = [beta("beta_fast"), beta("beta_slow")];
  if ((betaFast ?? 32) <= (betaSlow ?? 1)) {
    throw new RangeError(
      `Cannot read ${at}: beta_fast ${betaFast ?? 32} is not above beta_slow ${betaSlow ?? 1}`,
    );
  }
  const magnitude = magnitudeOf(value, factor, at);
  return {
    type: "yarn",
    factor,
    originalContext,
    ...betaFast !== undefined && betaFast !== 32 && { betaFast },
    ...betaSlow !== undefined && betaSlow !== 1 && { betaSlow },
    ...!flag(value, "truncate", at, true) && { truncate: false },
    ...magnitude !== usualMagnitude(factor) && { magnitude },
  };
}

function magnitudeOf(value: Fields, factor: number, at: string): number {
  if (!isEmpty(value.attention_factor)) return positiveNumber(value, "attention_factor", at);
  if (!value.mscale || !value.mscale_all_dim) return usualMagnitude(factor);
  const [one, all] = ["mscale", "mscale_all_dim"].map((key) => positiveNumber(value, key, at));
  return factor <= 1 ? 1 : (0.1 * one * Math.log(factor) + 1) / (0.1 * all * Math.log(factor) + 1);
}

/** The longest sequence of a model. With YaRN, it is at least the original context times the factor, whatever length the file gives. */
export function contextOf(scaling: RopeScaling | undefined, longest: number): number {
  if (scaling?.type !== "yarn") return longest;
  return Math.max(longest, Math.floor(scaling.factor * scaling.originalContext!));
}

/** The keys of `config.json` from which {@linkcode ropeSettings} reads this scaling. None if there is no scaling. */
export function ropeSettingsAsJson(scaling: RopeScaling | undefined): Fields {
  if (!scaling) return {};
  const { type, factor, originalContext: original_max_position_embeddings } = scaling;
  const { lowFrequencyFactor: low_freq_factor, highFrequencyFactor: high_freq_factor } = scaling;
  const { betaFast: beta_fast, betaSlow: beta_slow, truncate, magnitude: attention_factor } =
    scaling;
  return {
    rope_scaling: {
      rope_type: type,
      factor,
      ...type === "llama3" &&
        { low_freq_factor, high_freq_factor, original_max_position_embeddings },
      ...type === "yarn" &&
        { original_max_position_embeddings, beta_fast, beta_slow, truncate, attention_factor },
    },
  };
}
