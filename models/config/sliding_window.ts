/**
 * Sliding windows of attention: not computed, and not needed for sequences up to the window, so they limit the context.
 *
 * @module
 */

import { positiveInteger } from "./config_checks.ts";
import { type Fields, type Note, shown } from "./config_keys.ts";

/** Window of MistralConfig, where a file has no key for it. */
const MISTRAL_WINDOW = 4096;

/**
 * Columns that a position of a Hugging Face model sees, itself included; undefined where no layer has a window.
 *
 * @throws {RangeError} for a window that is no positive integer, and layer types other than full and sliding attention.
 */
export function slidingWindow(from: Fields, layers: number, what: string): number | undefined {
  const types = from.layer_types;
  if (types !== undefined && types !== null) {
    const known = ["full_attention", "sliding_attention", "attention"];
    if (
      !Array.isArray(types) || types.length < layers || types.some((type) => !known.includes(type))
    ) {
      throw new RangeError(
        `Cannot read ${what}: layer_types ${
          shown(types)
        } is not supported, readable is "full_attention" or "sliding_attention" for each of ${layers} layers`,
      );
    }
    if (!types.slice(0, layers).includes("sliding_attention")) return undefined;
  }
  if (from.use_sliding_window === false) return undefined;
  const fallback = from.model_type === "mistral" ? MISTRAL_WINDOW : null;
  const window = from.sliding_window === undefined ? fallback : from.sliding_window;
  if (window === null || window === false) return undefined;
  // Of Qwen's: windows begin at this layer.
  const { max_window_layers: first } = from;
  if (types === undefined && typeof first === "number" && first >= layers) return undefined;
  return positiveInteger({ sliding_window: window }, "sliding_window", what);
}

/** The longest sequence for which a model's window changes nothing, with a note where that is shorter than its context. */
export function contextWithin(
  window: number | undefined,
  context: number,
  { key, what, note }: { readonly key: string; readonly what: string; readonly note: Note },
): number {
  if (window === undefined || window >= context) return context;
  note(
    `${what}: ${key} is ${window} of ${context} positions; sequences are limited to ${window}, for which the window changes nothing, and so is the context of files in another form that are written from this model`,
  );
  return window;
}
