/**
 * Sliding windows of attention: reads which layers have one.
 *
 * @module
 */

import type { ModelConfig } from "../model_config.ts";
import { positiveInteger } from "./config_checks.ts";
import { type Fields, isEmpty, shown } from "./config_keys.ts";

/** Default window of transformers' MistralConfig. */
const MISTRAL_WINDOW = 4096;

/** Limit on the number of layers, so that no long lists are created. Models with more are always rejected. */
const MOST_LAYERS = 4096;

/** The fields of a configuration about windows. Empty if no layer has a window, or the window is not shorter than the context. */
export type SlidingWindow = Pick<ModelConfig, "slidingWindow" | "slidingLayers">;

/** Properties of the model whose window is read. */
export interface WindowedModel {
  /** Number of layers. */
  readonly layers: number;
  /** Longest sequence in tokens. */
  readonly context: number;
  /** Name of the file for messages. */
  readonly what: string;
}

/**
 * Reads the sliding window of a model in a folder.
 *
 * @throws {RangeError} when the window is not a positive integer, or a layer type is other than full or sliding attention.
 */
export function slidingWindow(from: Fields, model: WindowedModel): SlidingWindow {
  const { layers, what } = model;
  const types = layerTypes(from, layers, what);
  if (from.use_sliding_window === false) return {};
  const fallback = from.model_type === "mistral" ? MISTRAL_WINDOW : null;
  const window = from.sliding_window === undefined ? fallback : from.sliding_window;
  if (window === null || window === false) return {};
  // For Qwen, layers from this index on have a window.
  const { max_window_layers: given } = from;
  const first = types === undefined && typeof given === "number" ? given : 0;
  return windowIn(
    positiveInteger({ sliding_window: window }, "sliding_window", what),
    (layer) => types ? types[layer] === "sliding_attention" : layer >= first,
    model,
  );
}

/** The types of layers, if a folder gives them. @throws {RangeError} when there are other types, or too few. */
export function layerTypes(
  { layer_types: types }: Fields,
  layers: number,
  what: string,
): readonly string[] | undefined {
  if (types === undefined || types === null) return undefined;
  const known = ["full_attention", "sliding_attention", "attention"];
  if (Array.isArray(types) && types.length >= layers && types.every((it) => known.includes(it))) {
    return types.slice(0, layers);
  }
  throw new RangeError(
    `Cannot read ${what}: layer_types ${
      shown(types)
    } is not supported; expected "full_attention" or "sliding_attention" for each of ${layers} layers`,
  );
}

/**
 * Reads the sliding window of a model in a GGUF file. A window of 0 means none. `attention.sliding_window_pattern` says which layers have it.
 *
 * @throws {RangeError} when a value is not supported. The message gives key and value.
 */
export function ggufSlidingWindow(from: Fields, model: WindowedModel): SlidingWindow {
  const key = "attention.sliding_window";
  if (isEmpty(from[key]) || from[key] === 0) return {};
  const { layers, what } = model;
  return windowIn(positiveInteger(from, key, what), ggufSlides(from, layers, what), model);
}

/**
 * Which layers of a GGUF file have a window: given as a boolean for each layer, or as a period, the last layer of which has none, as in llama.cpp.
 *
 * @param period The period if the file gives none. 0 means a window in all layers. Default 0.
 * @throws {RangeError} when the value is not supported. The message gives key and value.
 */
export function ggufSlides(
  from: Fields,
  layers: number,
  what: string,
  period = 0,
): (layer: number) => boolean {
  const key = "attention.sliding_window_pattern";
  const pattern = from[key] ?? period;
  if (typeof pattern === "number" && Number.isInteger(pattern) && pattern >= 0) {
    return (layer) => pattern === 0 || slidesBy(pattern, layer);
  }
  const isYes = (it: unknown) => it === true || it === 1;
  const isFlag = (it: unknown) => isYes(it) || it === false || it === 0;
  if (Array.isArray(pattern) && pattern.length >= layers && pattern.every(isFlag)) {
    return (layer) => isYes(pattern[layer]);
  }
  throw new RangeError(
    `Cannot read ${what}: ${key} ${
      shown(pattern)
    } is neither a number of layers nor true or false for each of ${layers} layers`,
  );
}

/** Whether a layer has a window if the last layer of each `period` has none. */
export function slidesBy(period: number, layer: number): boolean {
  return layer % period < period - 1;
}

/** The fields for a window in the layers for which `slides` is true. */
export function windowIn(
  window: number,
  slides: (layer: number) => boolean,
  { layers, context }: WindowedModel,
): SlidingWindow {
  if (window >= context || layers > MOST_LAYERS) return {};
  const slidingLayers = layersThat(slides, layers);
  if (slidingLayers.length === 0) return {};
  return { slidingWindow: window, ...slidingLayers.length < layers && { slidingLayers } };
}

/**
 * As {@linkcode windowIn}, for models whose layers differ in other ways too: the window is kept even if it is longer than the context, and all its
 * layers are listed.
 */
export function windowAnyway(
  window: number,
  slides: (layer: number) => boolean,
  layers: number,
): SlidingWindow {
  if (layers > MOST_LAYERS) return {};
  return { slidingWindow: window, slidingLayers: layersThat(slides, layers) };
}

function layersThat(slides: (layer: number) => boolean, layers: number): number[] {
  return Array.from({ length: layers }, (_, i) => i).filter(slides);
}

/** The type of each layer, as spelled in folders. */
export function layerTypesOf(
  { layers, slidingLayers }: Pick<ModelConfig, "layers" | "slidingLayers">,
): string[] {
  return Array.from(
    { length: layers },
    (_, i) => slidingLayers?.includes(i) === false ? "full_attention" : "sliding_attention",
  );
}
