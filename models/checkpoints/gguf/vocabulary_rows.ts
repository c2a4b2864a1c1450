/**
 * Matches the tokens of a GGUF file to the rows of its embedding: llama.cpp loads only files in which the numbers are equal.
 *
 * @module
 */

import type { GgufTyped, GgufValue } from "../../../quant/mod.ts";
import { tokenType } from "../../tokenizers/tokenizer_gguf_entries.ts";

/** Metadata to write. */
export type GgufEntries = Map<string, GgufValue | GgufTyped>;

const PREFIX = "tokenizer.ggml.";
/** Tokens that the model itself encounters, so they must have a row. */
const NEEDED = ["bos_token_id", "eos_token_id", "unknown_token_id"];

/**
 * Removes tokens that have no row, along with the merges that produce them and the ids that refer to them, and invents names for rows that have no
 * token. Changes `metadata`.
 *
 * @returns Notes about what was left out.
 * @throws {RangeError} when the token that begins or ends a text, or the unknown token, has no row.
 */
export function fitVocabulary(metadata: GgufEntries, rows: number): string[] {
  const tokens = listOf(metadata, "tokens");
  if (!tokens || tokens.length === rows) return [];
  if (tokens.length < rows) {
    const missing = Array.from({ length: rows - tokens.length }, (_, i) => i + tokens.length);
    replace(metadata, "tokens", [...tokens, ...missing.map((id) => `[PAD${id}]`)]);
    extend(metadata, "token_type", rows, tokenType.unused);
    extend(metadata, "scores", rows, 0);
    return [];
  }
  const notes: string[] = [];
  const names = tokens.slice(rows);
  for (const [key, value] of [...metadata]) {
    const id = key.startsWith(PREFIX) && key.endsWith("_token_id") ? Number(plain(value)) : -1;
    if (!(id >= rows && id < tokens.length)) continue;
    const name = key.slice(PREFIX.length);
    if (NEEDED.includes(name)) {
      throw new RangeError(
        `Cannot write GGUF: ${name} is ${id} (${
          JSON.stringify(tokens[id])
        }), and the embedding has ${rows} rows; resize the embedding, or correct the tokenizer`,
      );
    }
    metadata.delete(key);
    notes.push(`Left out: ${name} ${id}, which has no row in the embedding of ${rows}.`);
  }
  const left = new Set(tokens.slice(0, rows));
  const gone = new Set(names.filter((name) => !left.has(name)));
  replace(metadata, "tokens", tokens.slice(0, rows));
  for (const name of ["token_type", "scores"]) extend(metadata, name, rows, 0);
  const merges = listOf(metadata, "merges");
  if (merges) {
    replace(metadata, "merges", merges.filter((it) => !mentions(it, gone)));
  }
  const shown = names.slice(0, 3).map((name, i) => `${JSON.stringify(name)} (${rows + i})`);
  notes.push(
    `Left out: ${shown.join(", ")}${
      names.length > 3 ? ` and ${names.length - 3} more tokens` : ""
    }: the embedding has ${rows} rows, and llama.cpp cannot load a file with more tokens than that.`,
  );
  return notes;
}

/** Whether a merge involves a removed token. The parts of a merge contain no spaces. */
function mentions(merge: string, gone: ReadonlySet<string>): boolean {
  const parts = merge.split(" ");
  return gone.has(parts.join("")) || parts.some((part) => gone.has(part));
}

function plain(value: GgufValue | GgufTyped): GgufValue {
  return typeof value === "object" && "type" in value ? value.value : value;
}

function listOf(metadata: GgufEntries, name: string): string[] | undefined {
  const value = metadata.get(PREFIX + name);
  const list = value === undefined ? undefined : plain(value);
  return Array.isArray(list) && list.every((it) => typeof it === "string") ? list : undefined;
}

function replace(metadata: GgufEntries, name: string, list: string[]): void {
  metadata.set(PREFIX + name, list);
}

/** Shortens a list of numbers, or pads it with `filler`. */
function extend(metadata: GgufEntries, name: string, length: number, filler: number): void {
  const value = metadata.get(PREFIX + name);
  const list = value === undefined ? undefined : plain(value);
  if (!(list instanceof Int32Array || list instanceof Float32Array)) return;
  const made = list instanceof Int32Array ? new Int32Array(length) : new Float32Array(length);
  made.fill(filler).set(list.subarray(0, length));
  metadata.set(PREFIX + name, made);
}
