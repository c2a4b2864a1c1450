/**
 * The files of a Hugging Face folder that say something of its tokenizer.
 *
 * @module
 */

import { join } from "@std/path";
import { templatesOfFolder } from "./chat_templates.ts";
import { readJsonFile, readOptionalText } from "./read_file.ts";
import type { TokenizerFiles } from "./source.ts";

/**
 * What a folder says of its tokenizer; undefined where it has no `tokenizer.json`.
 *
 * @param modelConfig Contents of its `config.json`
 * @throws {SyntaxError | RangeError} When a file is damaged or too large
 */
export async function readTokenizerFiles(
  folder: string,
  modelConfig: unknown,
): Promise<TokenizerFiles | undefined> {
  const json = await readJsonFile(join(folder, "tokenizer.json"), "tokenizer", { optional: true });
  if (json === undefined) return undefined;
  const settings = (name: string): Promise<unknown> =>
    readJsonFile(join(folder, name), "settings", { optional: true });
  const config = await settings("tokenizer_config.json");
  const specialTokens = await settings("special_tokens_map.json");
  const addedTokens = await settings("added_tokens.json");
  const generation = await settings("generation_config.json");
  const chatTemplate = await readOptionalText(join(folder, "chat_template.jinja"), "settings") ??
    templateOfProcessor(config, await settings("chat_template.json"));
  const otherTemplates = await templatesOfFolder(folder);
  return {
    json,
    config,
    modelConfig,
    ...(specialTokens === undefined ? {} : { specialTokens }),
    ...(addedTokens === undefined ? {} : { addedTokens }),
    ...(generation === undefined ? {} : { generation }),
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(otherTemplates.size === 0 ? {} : { otherTemplates }),
  };
}

/** `chat_template.json` is a processor's: it counts where nothing else has a template. */
function templateOfProcessor(config: unknown, file: unknown): string | undefined {
  if ((config as { chat_template?: unknown } | undefined)?.chat_template) return undefined;
  const template = (file as { chat_template?: unknown } | undefined)?.chat_template;
  return typeof template === "string" ? template : undefined;
}
