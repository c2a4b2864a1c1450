/**
 * Reads the files of a Hugging Face folder that describe its tokenizer.
 *
 * @module
 */

import { join } from "@std/path";
import type { NamedTemplates } from "../../tokenizers/chat_templates.ts";
import { FolderLinks } from "../disk/folder_links.ts";
import { list as inWords, namesIn } from "../disk/look.ts";
import { readFileText, readJsonFile, readOptionalText } from "../disk/read_file.ts";
import type { TokenizerFiles } from "../checkpoint.ts";

/** Folder of the chat templates that exist in addition to `chat_template.jinja`. */
const TEMPLATES = "additional_chat_templates";
const MOST_TEMPLATES = 100;

/**
 * Reads the tokenizer files of a folder. Undefined if it has no `tokenizer.json`.
 *
 * @param modelConfig Contents of the folder's `config.json`.
 * @throws {SyntaxError | RangeError} when a file is damaged or too large, or is a link that points outside the folder.
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

/** Files that are read in addition to `config.json` and the weights, and are copied when the model is written. */
async function sideFiles(folder: string): Promise<string[]> {
  const templates = await namesIn(join(folder, TEMPLATES));
  return [
    ...["tokenizer_config.json", "special_tokens_map.json"],
    ...["added_tokens.json", "generation_config.json", "chat_template.jinja"],
    ...["chat_template.json", TEMPLATES, ...templates.map((name) => join(TEMPLATES, name))],
  ];
}

/** `chat_template.json` belongs to a processor: its template is used if nothing else has one. */
function templateOfProcessor(config: unknown, file: unknown): string | undefined {
  if ((config as { chat_template?: unknown } | undefined)?.chat_template) return undefined;
  const template = (file as { chat_template?: unknown } | undefined)?.chat_template;
  return typeof template === "string" ? template : undefined;
}

/**
 * The chat templates of a folder that are separate files, without the default one.
 *
 * @throws {RangeError} when there are more than 100.
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

/** Path of a template's file, relative to the model's folder. */
export function templateFile(name: string): string {
  return join(TEMPLATES, `${name}.jinja`);
}
