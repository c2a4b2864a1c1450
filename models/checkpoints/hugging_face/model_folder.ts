/**
 * Which files belong to a model's folder: what a tuned folder gets of its base's, and what a folder may hold that one is written over.
 *
 * @module
 */

/** Files that loading, tokenising or a chat needs, by name. What of them is a link out of the folder: `folder_links.ts`. */
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

/** Files that say what a model is and what may be done with it. They are copied where they lie in the folder. */
const ABOUT: readonly RegExp[] = [
  /^README(\.[a-z]+)?$/i,
  /^(LICEN[CS]E|NOTICE|COPYING|USE_POLICY|MODEL_CARD)([-._][\w.-]*)?$/i,
];

/** Weights as this library and others write them. */
const WEIGHTS = /\.safetensors$/;

/** What a file is to a folder that is written from the one it lies in. */
export type FolderPart = "needed" | "about" | "weights" | "foreign";

/**
 * What a file of this name is in a model's folder.
 *
 * @example What goes along, and what does not
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
