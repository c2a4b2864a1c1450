/**
 * The files of a Hugging Face folder that say something of its tokenizer.
 *
 * @module
 */

import { join } from "@std/path";
import type { NamedTemplates } from "../../tokenizers/chat_templates.ts";
import { FolderLinks } from "../disk/folder_links.ts";
import { list as inWords, namesIn } from "../disk/look.ts";
import { readFileText, readJsonFile, readOptionalText } from "../disk/read_file.ts";
import type { TokenizerFiles } from "../checkpoint.ts";

/** Where a folder has chat templates beside its `chat_template.jinja`. */
const TEMPLATES = "additional_chat_templates";
const MOST_TEMPLATES = 100;

/**
 * What a folder says of its tokenizer; undefined where it has no `tokenizer.json`.
 *
 * @param modelConfig Contents of its `config.json`
 * @throws {SyntaxError | RangeError} When a file is damaged or too large, or a link out of the folder
 */
export async function readTokenizerFiles(
  folder: string,
  modelConfig: unknown,
): Promise<TokenizerFiles | undefined> {
  const links = await FolderLinks.of(folder);
  await links.assertOwn(["tokenizer.json"]);
  const json = await readJsonFile(join(folder, "tokenizer.json"), "tokenizer", { optional: true });
  if (json === undefined) return undefined;
  await links.assertOwn(await sideFiles(folder));
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

/** What is read beside `config.json` and weights, and goes along where the model is written. */
async function sideFiles(folder: string): Promise<string[]> {
  const templates = await namesIn(join(folder, TEMPLATES));
  return [
    ...["tokenizer_config.json", "special_tokens_map.json"],
    ...["added_tokens.json", "generation_config.json", "chat_template.jinja"],
    ...["chat_template.json", TEMPLATES, ...templates.map((name) => join(TEMPLATES, name))],
  ];
}

/** `chat_template.json` is a processor's: it counts where nothing else has a template. */
function templateOfProcessor(config: unknown, file: unknown): string | undefined {
  if ((config as { chat_template?: unknown } | undefined)?.chat_template) return undefined;
  const template = (file as { chat_template?: unknown } | undefined)?.chat_template;
  return typeof template === "string" ? template : undefined;
}

/**
 * The templates, besides the default one, that a folder has as files of their own.
 *
 * @throws {RangeError} For more than 100
 */
export async function templatesOfFolder(folder: string): Promise<NamedTemplates> {
  const path = join(folder, TEMPLATES);
  const names = (await namesIn(path)).filter((name) => name.endsWith(".jinja")).sort();
  if (names.length > MOST_TEMPLATES) {
    throw new RangeError(
      `Cannot read "${path}": it has ${names.length} templates (${
        inWords(names)
      }), at most ${MOST_TEMPLATES} are read`,
    );
  }
  const templates = new Map<string, string>();
  for (const name of names) {
    templates.set(name.replace(/\.jinja$/, ""), await readFileText(join(path, name), "settings"));
  }
  return templates;
}

/** The path of the file of such a template, from its folder. */
export function templateFile(name: string): string {
  return join(TEMPLATES, `${name}.jinja`);
}
