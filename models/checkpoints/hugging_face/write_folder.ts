/**
 * Writes a Hugging Face folder in its original form, except for trained values.
 *
 * @module
 */

import { dirname, join } from "@std/path";
import { type FileSource, openFile, writeFileWhole } from "../disk/files.ts";
import { FolderLinks } from "../disk/folder_links.ts";
import { allEntries, createFile, isSamePlace, makeFolderOf, type NewFile } from "../disk/places.ts";
import { folderPart } from "./model_folder.ts";
import { templateFile } from "./source_tokenizer.ts";
import type { ModelSource, StoredFolder } from "../checkpoint.ts";
import type { WriteOptions } from "../write_options.ts";
import { writeFolderWhole } from "../disk/write_together.ts";

const INDEX = "model.safetensors.index.json";
/** Maximum number of omitted files that a note names. */
const NAMED = 5;
const PIECE = 8 * 2 ** 20;

/**
 * Copies a folder byte for byte, except for what the `patches` of the source's tensors replace. It copies the weight files that the model is read
 * from, and the files that a model needs or that describe it ({@linkcode folderPart}). All others are left out, in particular links that point
 * outside the folder; needed files that are such links are copied only if `config.json` is one too. A new folder appears when everything is written.
 * Into an existing folder, the files are moved together, `config.json` last.
 *
 * @returns Notes about what was left out.
 * @throws {RangeError} when `path` is the folder itself.
 */
export async function writeStoredFolder(
  source: ModelSource,
  folder: StoredFolder,
  path: string,
  { onProgress, signal }: WriteOptions = {},
): Promise<string[]> {
  const { path: from, files } = folder;
  await assertOtherFolder({ path: from }, path);
  const { copied, left } = await otherFiles(folder);
  await writeFolderWhole(path, "config.json", async (path) => {
    await writeWeights(source, files, path, { onProgress, signal });
    for (const name of copied) {
      using file = await openFile(join(from, name), "data");
      await writeFileWhole(join(path, name), piecesOf(file, signal));
    }
    for (const [name, text] of source.tokenizerFiles?.otherTemplates ?? []) {
      await makeFolderOf(join(path, templateFile(name)));
      await writeFileWhole(join(path, templateFile(name)), [new TextEncoder().encode(text)]);
    }
  });
  if (left.length === 0) return [];
  const more = left.length > NAMED ? ` and ${left.length - NAMED} more` : "";
  return [
    `Not copied from "${from}", because a model does not need them: ${
      left.slice(0, NAMED).join(", ")
    }${more}`,
  ];
}

/** Copies weight files into a folder, then overwrites the trained values. */
async function writeWeights(
  source: ModelSource,
  files: StoredFolder["files"],
  folder: string,
  { onProgress, signal }: WriteOptions,
): Promise<void> {
  using stack = new DisposableStack();
  const written = new Map<FileSource, NewFile>();
  for (const [name, file] of files) {
    const copy = stack.use(await createFile(join(folder, name)));
    written.set(file, copy);
    await copy.write(piecesOf(file, signal));
  }
  let done = 0;
  for (const { name, patches } of source.tensors.values()) {
    signal?.throwIfAborted();
    for await (const { file, offset, bytes } of patches?.() ?? []) {
      await written.get(file)!.write([{ offset, bytes }]);
    }
    done++;
    onProgress?.({ tensor: name, done, total: source.tensors.size });
  }
  for (const file of written.values()) await file.sync();
}

/** @throws {RangeError} when `path` is the folder itself. */
export async function assertOtherFolder(
  { path: from }: Pick<StoredFolder, "path">,
  path: string,
): Promise<void> {
  if (await isSamePlace(path, from)) {
    throw new RangeError(`Cannot write a model to "${path}": that is the folder it is read from`);
  }
}

/** The files of a folder other than its weights. */
interface OtherFiles {
  /** Names of the copied files, with `config.json` last, because a folder that has one is a complete model. */
  readonly copied: readonly string[];
  /** Files that are left out: their names, with a reason for links. */
  readonly left: readonly string[];
}

async function otherFiles({ path: folder, files }: StoredFolder): Promise<OtherFiles> {
  const copied: string[] = [];
  const left: string[] = [];
  const links = await FolderLinks.of(folder);
  for (const { name, isLink, isFile } of await allEntries(folder)) {
    if (name.startsWith(".") || name.endsWith(".part") || files.has(name)) continue;
    if (name === dirname(templateFile("default"))) continue; // Written by writeStoredFolder from the templates that were read.
    const part = folderPart(name);
    const out = isLink && await links.leadsOut(name);
    // A left-over index: it names shards that were not read.
    const stale = name === INDEX && files.size === 1 && files.has("model.safetensors");
    const wanted = part === "needed" && !stale && !(out && await links.isForeign(name)) ||
      part === "about" && !out;
    if (isFile && wanted) copied.push(name);
    else {left.push(
        out
          ? `${JSON.stringify(name)} (a link that points outside the folder)`
          : JSON.stringify(name),
      );}
  }
  return {
    copied: copied.sort((a, b) => Number(a === "config.json") - Number(b === "config.json")),
    left,
  };
}

async function* piecesOf(file: FileSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE) {
    signal?.throwIfAborted();
    yield await file.read(at, Math.min(PIECE, file.size - at));
  }
}
