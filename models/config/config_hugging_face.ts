/**
 * The configuration of a model from a Hugging Face `config.json`.
 *
 * @module
 */

import type { HuggingFaceForm } from "../architecture.ts";
import { ARCHITECTURES } from "../architectures.ts";
import type { ModelConfig } from "../model_config.ts";
import { checkedConfig } from "./config_checks.ts";
import { checkKeys, isEmpty, isObject, type Note, shown } from "./config_keys.ts";

/**
 * Reads a model's configuration from a Hugging Face `config.json` (transformers 4 or 5), in the form of the architecture named by its
 * `model_type`. Every key is either read, known to have no effect, or rejected (see `docs/configuration-keys.md`).
 *
 * @param note Called with information for the user, such as a context limited to a sliding window.
 * @throws {SyntaxError} when it is not an object.
 * @throws {RangeError} for an unsupported architecture, a value that is missing or out of range, or an unknown key.
 *
 * @example A small model
 * ```ts
 * import { configFromHuggingFace } from "@qzo/qzo/models";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const json = {
 *   model_type: "llama", hidden_size: 64, intermediate_size: 160, num_hidden_layers: 2,
 *   num_attention_heads: 4, vocab_size: 256, rms_norm_eps: 1e-5, max_position_embeddings: 128,
 * };
 * assertEquals(configFromHuggingFace(json).headDimension, 16);
 * assertThrows(() => configFromHuggingFace({ ...json, logit_scale: 0.5 }), RangeError, "logit_scale 0.5");
 * ```
 */
export function configFromHuggingFace(
  json: unknown,
  name = "config.json",
  note: Note = () => {},
): ModelConfig {
  if (!isObject(json)) throw new SyntaxError(`Cannot read "${name}": not a JSON object`);
  const what = `"${name}"`;
  const form = formOf(json.model_type, what);
  checkKeys(json, form.keys, { what, note });
  checkArchitectures(json.architectures, form, what, note);
  return checkedConfig(form.read(json, { what, note }), what);
}

/** Whether the `model_type` of a `config.json` belongs to a known architecture. */
export function knowsModelType(json: unknown): boolean {
  return isObject(json) &&
    ARCHITECTURES.some(({ huggingFace }) =>
      huggingFace.modelTypes.some((it) => it === json.model_type)
    );
}

function formOf(type: unknown, what: string): HuggingFaceForm<ModelConfig> {
  const forms = ARCHITECTURES.map(({ huggingFace }) => huggingFace);
  const found = forms.find(({ modelTypes }) => modelTypes.some((it) => it === type));
  if (found) return found;
  throw new RangeError(
    `Cannot read ${what}: model_type ${shown(type)} is not supported; expected one of ${
      forms.flatMap(({ modelTypes }) => modelTypes).join(", ")
    }`,
  );
}

/** Whether a `config.json` says that head and embedding are separate tables. */
export function saysUntied(json: unknown): boolean {
  return isObject(json) && json.tie_word_embeddings === false;
}

/** Suffixes of the classes that predict the next token. */
const DECODER = /(ForCausalLM|LMHeadModel)$/;

function checkArchitectures(
  value: unknown,
  { classes, headClass = "ForCausalLM" }: HuggingFaceForm<ModelConfig>,
  what: string,
  note: Note,
): void {
  if (isEmpty(value)) return;
  const heads = [headClass].flat();
  const isDecoder = heads.some((it) => DECODER.test(it));
  const plain = new RegExp(`^(${classes.join("|")})(${heads.join("|")}|Model)$`, "i");
  for (const name of Array.isArray(value) ? value : [value]) {
    if (typeof name === "string" && plain.test(name)) continue;
    if (typeof name !== "string" || !isDecoder || !DECODER.test(name)) {
      throw new RangeError(
        `Cannot read ${what}: architectures ${
          shown(value)
        } is not supported: only language models are (${
          classes.map((it) => it + heads[0]).join(", ")
        }), not classifiers, reward models or others with a separate head`,
      );
    }
    note(
      `${what}: architectures ${shown(value)} is read as plain ${
        classes[0]
      }, as its model_type says`,
    );
  }
}
