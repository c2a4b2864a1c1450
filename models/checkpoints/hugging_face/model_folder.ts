/**
 * Classifies the files of a model folder: which are copied from the base to a tuned folder, and which may exist in a folder that is overwritten.
 *
 * @module
 */

/** Names of files needed for loading, tokenising or chat. Links that lead out of the folder are handled in `folder_links.ts`. */
const NEEDED: readonly RegExp[] = [
  /^config\.json$/,
  /^adapter_config\.json$/,
  /^generation_config\.json$/,
  /^(quantize|quant|quantization)_config\.json$/,
  /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$/,
  /^(vocab|merges)\.txt$/,
  /^(tokenizer|sentencepiece|spiece)(\.bpe)?\.(model|vocab)$/,
  /^tekken\.json$/,
  /^chat_template\.(jinja|json)$/,
  /^additional_chat_templates$/,
  /^model\.safetensors\.index\.json$/,
];

/** Files that describe a model and its licence. They are copied if they are regular files in the folder. */
const ABOUT: readonly RegExp[] = [
  /^README(\.[a-z]+)?$/i,
  /^(LICEN[CS]E|NOTICE|COPYING|USE_POLICY|MODEL_CARD)([-._][\w.-]*)?$/i,
];

/** Weights as written by this library and others. */
const WEIGHTS = /\.safetensors$/;

/** The class of a file in a model folder. */
export type FolderPart = "needed" | "about" | "weights" | "foreign";

/**
 * The class of a file with this name in a model folder.
 *
 * @example Files that are copied and files that are not
 * ```ts
 * import { folderPart } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const names = ["tokenizer.json", "LICENSE.txt", "model-00001-of-00002.safetensors", "notes.txt"];
 * assertEquals(names.map(folderPart), ["needed", "about", "weights", "foreign"]);
 * ```
 */
export function folderPart(name: string): FolderPart {
  if (NEEDED.some((it) => it.test(name))) return "needed";
  if (ABOUT.some((it) => it.test(name))) return "about";
  return WEIGHTS.test(name) ? "weights" : "foreign";
}
