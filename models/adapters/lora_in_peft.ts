/**
 * How PEFT stores LoRA.
 *
 * @module
 */

import { weightsOf } from "../architectures.ts";
import type { Weight } from "../architecture.ts";
import {
  type Fields,
  harmless,
  isObject,
  keysOf,
  type KeyTable,
  only,
  read,
  shown,
} from "../config/config_keys.ts";
import type { ModelConfig } from "../model_config.ts";
import { type LoraMatrix, loraNames, type LoraPlan } from "./lora_plan.ts";
import { modulePath, namesFor, valueByPattern } from "./module_patterns.ts";
import type { PeftForm, PeftTensor } from "./peft_form.ts";

/** Initialisations that leave the base model unchanged. All others subtract something from it first. */
const PLAIN_STARTS = [true, "gaussian", "eva", "orthogonal", "mica"] as const;

const KEYS: KeyTable = {
  ...keysOf("r lora_alpha use_rslora rank_pattern alpha_pattern lora_bias", read()),
  bias: harmless("which biases of the base it comes with is seen in the tensors"),
  ...keysOf(
    "target_modules exclude_modules layers_to_transform layers_pattern",
    harmless("the tensors show which modules have LoRA"),
  ),
  fan_in_fan_out: harmless("A and B are stored the same way for all modules"),
  ...keysOf(
    `lora_dropout megatron_config megatron_core loftq_config eva_config corda_config lora_ga_config velora_config runtime_config qalora_group_size`,
    harmless("how it was trained, or how other programs run it"),
  ),
  init_lora_weights: only(
    PLAIN_STARTS,
    "this initialisation changes the base's weights, so the adapter does not fit the original model; save it with PEFT's path_initial_model_for_weight_conversion",
  ),
  use_dora: only([], "DoRA divides by the norms of the changed weights"),
  use_qalora: only([], "QALoRA pools the inputs"),
  use_bdlora: only([], "its matrices are block-diagonal"),
  ...keysOf("monteclora_config kasa_config arrow_config", only([], "it computes something else")),
  alora_invocation_tokens: only([], "it applies only after certain tokens"),
  layer_replication: only([], "layers of the model would be repeated"),
  trainable_token_indices: only([], "it includes trained rows of the embedding"),
  target_parameters: only([], "it changes parameters that are not linear layers"),
};

/** The numbers of a pattern map in the settings. */
function numbersOf(value: unknown, key: string, what: string): Record<string, number> {
  if (value === undefined || value === null) return {};
  if (isObject(value) && Object.values(value).every((one) => Number.isFinite(one))) {
    return value as Record<string, number>;
  }
  throw new RangeError(`Cannot read ${what}: ${key} ${shown(value)} is not a map of numbers`);
}

/** Returns a function that gives the scale of a matrix, from the settings. */
function scaleOf(config: Fields, what: string): (weight: Weight, rank: number) => number {
  const { r = 8, lora_alpha: usual = 8, use_rslora: stable = false } = config;
  const rankOf = valueByPattern(numbersOf(config.rank_pattern, "rank_pattern", what));
  const alphaOf = valueByPattern(numbersOf(config.alpha_pattern, "alpha_pattern", what));
  return (weight, rank) => {
    const said = rankOf(weight) ?? r;
    if (said !== rank) {
      throw new RangeError(
        `Cannot read ${what}: it gives rank ${shown(said)} for ${
          modulePath(weight)
        }, but the matrices have ${rank}`,
      );
    }
    const alpha = alphaOf(weight) ?? usual;
    if (typeof alpha !== "number" || !Number.isFinite(alpha) || alpha === 0) {
      throw new RangeError(
        `Cannot read ${what}: lora_alpha ${shown(alpha)} is not a number other than 0`,
      );
    }
    return alpha / (stable === true ? Math.sqrt(rank) : rank);
  };
}

/** Alpha of a matrix, rounded to the nearest whole number if it differs from it only by rounding errors. */
export function alphaOf({ rank, scale }: LoraMatrix): number {
  const alpha = scale * rank;
  const whole = Math.round(alpha);
  return Math.abs(alpha - whole) < 1e-9 * Math.abs(alpha) ? whole : alpha;
}

/** The most common value, and the others by a pattern for the paths of their modules. */
export function withPatterns(
  values: ReadonlyMap<string, number>,
): { readonly usual: number; readonly pattern: Record<string, number> } {
  const counts = new Map<number, number>();
  for (const value of values.values()) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [[usual]] = [...counts].toSorted(([, a], [, b]) => b - a);
  const pattern = [...values].filter(([, value]) => value !== usual)
    .map(([path, value]) => [path.replaceAll(".", "\\."), value]);
  return { usual, pattern: Object.fromEntries(pattern) };
}

/** The matrices to which LoRA can be applied. */
function linearOf(config: ModelConfig): Weight[] {
  return weightsOf(config).filter(({ role }) => role === "matrix" || role === "head");
}

const [DOWN, UP, BIAS] = ["lora_A.weight", "lora_B.weight", "lora_B.bias"];

/** How PEFT's folders store LoRA. */
export const loraInPeft: PeftForm<LoraPlan> = {
  type: "LORA",
  hasBias: true,
  keys: KEYS,
  plan({ config, settings, what, shapeOf }) {
    const scale = scaleOf(settings, what);
    const matrices = linearOf(config).flatMap((weight): LoraMatrix[] => {
      const rank = shapeOf(weight.name, DOWN)?.[0];
      if (rank === undefined) return [];
      const own = { matrix: weight.name, rank, scale: scale(weight, rank) };
      return [shapeOf(weight.name, BIAS) ? { ...own, bias: true } : own];
    });
    return matrices.length === 0 ? undefined : { matrices };
  },
  tensors(config, { matrices }) {
    const weights = new Map(weightsOf(config).map((weight) => [weight.name, weight]));
    return matrices.flatMap(({ matrix, rank, bias }): PeftTensor[] => {
      const { rows, columns } = weights.get(matrix)!;
      const names = loraNames(matrix);
      const up = { matrix, byOutput: true };
      return [
        {
          ...{ name: names.down, matrix, suffix: DOWN, shape: [rank, columns] },
          byOutput: false,
        },
        { ...up, name: names.up, suffix: UP, shape: [rows, rank] },
        ...bias ? [{ ...up, name: names.bias, suffix: BIAS, shape: [rows] }] : [],
      ];
    });
  },
  settings(config, { matrices }) {
    const all = linearOf(config);
    const byName = new Map(all.map((weight) => [weight.name, weight]));
    const chosen = matrices.map(({ matrix }) => byName.get(matrix)!);
    const numbers = (of: (one: LoraMatrix) => number) =>
      withPatterns(new Map(matrices.map((one, i) => [modulePath(chosen[i]), of(one)])));
    const ranks = numbers(({ rank }) => rank);
    const alphas = numbers(alphaOf);
    return {
      alpha_pattern: alphas.pattern,
      fan_in_fan_out: chosen.every(({ transposed }) => transposed === true),
      init_lora_weights: true,
      layers_pattern: null,
      layers_to_transform: null,
      lora_alpha: alphas.usual,
      ...matrices.some(({ bias }) => bias) ? { lora_bias: true } : {},
      lora_dropout: 0.0,
      r: ranks.usual,
      rank_pattern: ranks.pattern,
      target_modules: namesFor(all, chosen),
      use_dora: false,
      use_rslora: false,
    };
  },
  foreign(name) {
    if (/lora_magnitude_vector/.test(name)) return "belongs to DoRA, which is not supported";
    if (/lora_embedding/.test(name)) return "is LoRA on an embedding, which is not supported";
    return undefined;
  },
};
