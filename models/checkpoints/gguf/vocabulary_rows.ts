/**
 * The tokens of a GGUF file, as many as its embedding has rows: llama.cpp loads no other.
 *
 * @module
 */

import type { GgufTyped, GgufValue } from "../../../quant/mod.ts";
import { tokenType } from "../../tokenizers/tokenizer_gguf_entries.ts";

/** Metadata to write. */
export type GgufEntries = Map<string, GgufValue | GgufTyped>;

const PREFIX = "tokenizer.ggml.";
/** The model itself meets these; without a row it cannot. */
const NEEDED = ["bos_token_id", "eos_token_id", "unknown_token_id"];

/**
 * Leaves out tokens that have no row, with the merges that make them and the ids that name them, and makes up names for rows that have no
 * token. Changes `metadata`.
 *
 * @returns Notes on what was left out
 * @throws {RangeError} When the token that begins or ends a text, or the unknown one, has no row.
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

/** Pieces of a merge have no spaces in them. */
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

/** Cuts or fills a list of numbers. */
function extend(metadata: GgufEntries, name: string, length: number, filler: number): void {
  const value = metadata.get(PREFIX + name);
  const list = value === undefined ? undefined : plain(value);
  if (!(list instanceof Int32Array || list instanceof Float32Array)) return;
  const made = list instanceof Int32Array ? new Int32Array(length) : new Float32Array(length);
  made.fill(filler).set(list.subarray(0, length));
  metadata.set(PREFIX + name, made);
}
