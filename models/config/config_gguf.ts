/**
 * Reads the configuration of a model from GGUF metadata.
 *
 * @module
 */

import type { GgufForm, TensorsRead } from "../architecture.ts";
import { ARCHITECTURES } from "../architectures.ts";
import type { ModelConfig } from "../model_config.ts";
import { checkedConfig } from "./config_checks.ts";
import { checkKeys, type KeyTable, type Note, only, read, shown } from "./config_keys.ts";

/**
 * Keys outside the architecture's prefix. Keys that begin with `general.` describe the file, `tokenizer.` is read by the tokenizer, and `split.` when
 * the parts are opened. All other prefixes belong to other programs, and llama.cpp ignores them too.
 */
export const GGUF_GENERAL_KEYS: KeyTable = {
  "general.architecture": read(),
  "general.type": only(
    ["model"],
    "only models are supported here, not adapters, projectors or importance matrices",
  ),
};

/**
 * Reads the configuration in GGUF metadata, in the form of the architecture named by `general.architecture`. Every key under its prefix is read,
 * known to have no effect, or rejected (see `docs/configuration-keys.md`).
 *
 * @param tensors Facts about the file's tensors that the configuration depends on.
 * @param note Called with information for the user, such as a context limited to a sliding window.
 * @throws {RangeError} when the architecture is not supported, a value is missing or out of range, or a key is unknown.
 */
export function configFromGguf(
  metadata: ReadonlyMap<string, unknown>,
  tensors: TensorsRead,
  name = "GGUF file",
  note: Note = () => {},
): ModelConfig {
  const what = `"${name}"`;
  const architecture = metadata.get("general.architecture");
  const general = Object.fromEntries(
    Object.keys(GGUF_GENERAL_KEYS).map((key) => [key, metadata.get(key)]),
  );
  checkKeys(general, GGUF_GENERAL_KEYS, { what, note });
  const form = formOf(architecture, what);
  const from = fieldsUnder(`${architecture}.`, metadata, what);
  checkKeys(from, form.keys, { what: `${what} metadata`, note });
  return checkedConfig(form.read(from, tensors, { what, note }), what);
}

function formOf(architecture: unknown, what: string): GgufForm<ModelConfig> {
  const known = ARCHITECTURES.filter(({ gguf }) => gguf);
  const found = known.find(({ name }) => name === architecture);
  if (found) return found.gguf!;
  const why = ARCHITECTURES.find(({ name }) => name === architecture)?.noGguf;
  if (why !== undefined) {
    throw new RangeError(
      `Cannot read ${what}: architecture ${
        shown(architecture)
      } is read from Hugging Face folders only, because ${why}`,
    );
  }
  throw new RangeError(
    `Cannot read ${what}: architecture ${shown(architecture)} is not supported; supported ${
      known.length === 1 ? "is" : "are"
    } ${known.map(({ name }) => name).join(", ")}`,
  );
}

// llama.cpp allows an array with a number for each layer. If all are equal, it is read as one number.
const PER_LAYER = ["attention.head_count", "attention.head_count_kv", "feed_forward_length"];

function fieldsUnder(
  prefix: string,
  metadata: ReadonlyMap<string, unknown>,
  what: string,
): Record<string, unknown> {
  // Arrays of numbers are typed arrays in the metadata.
  const plain = (value: unknown): unknown => {
    if (typeof value === "bigint") return Number(value);
    const isList = Array.isArray(value) || ArrayBuffer.isView(value);
    return isList ? Array.from(value as unknown as ArrayLike<unknown>, plain) : value;
  };
  const from: Record<string, unknown> = {};
  for (const [key, value] of metadata) {
    if (key.startsWith(prefix)) from[key.slice(prefix.length)] = plain(value);
  }
  for (const key of PER_LAYER) {
    const values = from[key];
    if (!Array.isArray(values)) continue;
    if (values.length !== from.block_count || values.some((value) => value !== values[0])) {
      throw new RangeError(
        `Cannot read ${what}: ${key} ${shown(values)} is not one number for all of ${
          shown(from.block_count)
        } layers`,
      );
    }
    from[key] = values[0];
  }
  return from;
}
