/**
 * Opens a model at any path: a GGUF file or a Hugging Face folder. For anything else, the error says what it is.
 *
 * @module
 */

import { basename, dirname, join } from "@std/path";
import { splitPaths } from "../../quant/files/gguf_split.ts";
import { checkFile } from "./disk/file_kinds.ts";
import { type FileSource, openFile } from "./disk/files.ts";
import { folderEntries, headOfFile, list } from "./disk/look.ts";
import { notThere, placeAt } from "./disk/places.ts";
import type { ModelSource } from "./checkpoint.ts";
import { ggufModelSource } from "./gguf/open_gguf.ts";
import { huggingFaceModelSource } from "./hugging_face/open_folder.ts";
import { isWeights, weightFiles } from "./hugging_face/weight_files.ts";
import { notAModel } from "./disk/what_is_this.ts";
import { isGgufModel, isUnfinished } from "./disk/model_names.ts";

/**
 * Opens a model by path: a `.gguf` file, any file of a split GGUF model (`NAME-00001-of-0000N.gguf`), a folder with `config.json` and
 * safetensors files, or a folder with one GGUF model. If there was a choice, `notes` says what was chosen.
 *
 * @throws {Deno.errors.NotFound} when `path` does not exist, or a file of the model is missing.
 * @throws {SyntaxError | RangeError | TypeError} when it is damaged, not supported or not a model. The message says what it is and what to do.
 *
 * @example The bundled model
 * ```ts
 * import { openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * assertEquals(source.config.architecture, "llama");
 * ```
 */
export async function openModelSource(path: string): Promise<ModelSource> {
  const info = await placeAt(path);
  if (info === undefined) throw await notAModel(path);
  if (info.isDirectory) return await openFolder(path);
  checkFile(info, path, "weights");
  if (/\.safetensors$/i.test(path)) return await openFolderOf(path);
  if (isUnfinished(path) || !await isGguf(path)) throw await notAModel(path);
  return await openGguf(path);
}

async function isGguf(path: string): Promise<boolean> {
  try {
    return (await headOfFile(path)).text.startsWith("GGUF");
  } catch {
    return false;
  }
}

async function openFolder(path: string): Promise<ModelSource> {
  const { files } = await folderEntries(path);
  const found = files.filter(isGgufModel);
  const models = new Set(found.map((name) => splitPaths(name)?.[0] ?? name));
  if (models.size !== 1 || files.some(isWeights)) return await huggingFaceModelSource(path);
  const source = await openGguf(join(path, found[0]));
  return withNote(source, `"${path}": ${list([...models])} is read, the only GGUF model in it`);
}

/** Opens the folder of a file, if `path` is one of the files that the folder is read from. */
async function openFolderOf(path: string): Promise<ModelSource> {
  const folder = dirname(path);
  const { files } = await folderEntries(folder);
  if (!files.includes("config.json") || files.includes("adapter_config.json")) {
    throw await notAModel(path);
  }
  const chosen = await weightFiles(folder, files);
  if (!chosen?.names.includes(basename(path))) throw await notAModel(path);
  const source = await huggingFaceModelSource(folder);
  return withNote(
    source,
    `"${path}": it is one of the files of the folder "${folder}", which is read as a whole`,
  );
}

function withNote(source: ModelSource, note: string): ModelSource {
  return { ...source, notes: [note, ...source.notes ?? []] };
}

async function openGguf(path: string): Promise<ModelSource> {
  const parts = splitPaths(path) ?? [path];
  await checkParts(path, parts);
  const files: FileSource[] = [];
  try {
    for (const part of parts) files.push(await openFile(part));
    const [first, ...others] = files;
    return await ggufModelSource(first, others);
  } catch (error) {
    for (const file of files) file[Symbol.dispose]();
    throw error;
  }
}

async function checkParts(path: string, parts: readonly string[]): Promise<void> {
  if (parts.length === 1) return;
  const missing: string[] = [];
  for (const part of parts) {
    if (await placeAt(part) === undefined) missing.push(basename(part));
  }
  if (missing.length === 0) return;
  throw notThere(
    `Cannot load "${path}": ${missing.length} of the ${parts.length} files of this split model are missing: ${
      list(missing)
    }. Download or copy them too`,
  );
}
