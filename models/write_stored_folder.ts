/**
 * A Hugging Face folder written as it was, but for trained values.
 *
 * @module
 */

import { join } from "@std/path";
import { type FileSource, openFile, writeFileWhole } from "./file_source.ts";
import type { ModelSource, StoredFolder } from "./source.ts";
import type { WriteOptions } from "./write_options.ts";

/** Weights in forms that are not read here: they would not be tuned. */
const OTHER_WEIGHTS = /\.(safetensors|bin|pt|pth|gguf|ggml|h5|msgpack|onnx|part)$/i;
const PIECE = 8 * 2 ** 20;

/**
 * Copies a folder byte for byte, except for what the `patches` of the source's tensors replace. Weight files that the model is
 * not read from stay behind, and so do sub-folders. Files appear under their names when they are whole, `config.json` last.
 *
 * @throws {RangeError} When `path` is the folder itself
 */
export async function writeStoredFolder(
  source: ModelSource,
  { path: from, files }: StoredFolder,
  path: string,
  { onProgress, signal }: WriteOptions = {},
): Promise<void> {
  await assertOtherFolder({ path: from }, path);
  await Deno.mkdir(path, { recursive: true });
  const parts = new Map<FileSource, { part: string; path: string; file: Deno.FsFile }>();
  try {
    for (const [name, file] of files) {
      const part = join(path, `${name}.${crypto.randomUUID().slice(0, 8)}.part`);
      const written = await Deno.open(part, { write: true, createNew: true });
      parts.set(file, { part, path: join(path, name), file: written });
      for await (const piece of piecesOf(file, signal)) await writeAll(written, piece);
    }
    let done = 0;
    for (const { name, patches } of source.tensors.values()) {
      signal?.throwIfAborted();
      for await (const { file, offset, bytes } of patches?.() ?? []) {
        const written = parts.get(file)!.file;
        await written.seek(offset, Deno.SeekMode.Start);
        await writeAll(written, bytes);
      }
      done++;
      onProgress?.({ tensor: name, done, total: source.tensors.size });
    }
    for (const { part, path, file } of parts.values()) {
      await file.sync();
      await Deno.rename(part, path);
    }
  } finally {
    for (const { part, file } of parts.values()) {
      file.close();
      await Deno.remove(part).catch(() => {});
    }
  }
  for (const name of await otherFiles(from)) {
    using file = await openFile(join(from, name));
    await writeFileWhole(join(path, name), piecesOf(file, signal));
  }
}

/** @throws {RangeError} When `path` is the folder itself. */
export async function assertOtherFolder(
  { path: from }: Pick<StoredFolder, "path">,
  path: string,
): Promise<void> {
  const there = await Deno.realPath(path).catch(() => undefined);
  if (there !== undefined && there === await Deno.realPath(from)) {
    throw new RangeError(`Cannot write a model to "${path}": that is the folder it is read from`);
  }
}

async function otherFiles(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isSymlink, isFile } of Deno.readDir(folder)) {
    if (OTHER_WEIGHTS.test(name) || name.startsWith(".")) continue;
    if (isFile || isSymlink && (await Deno.stat(join(folder, name))).isFile) names.push(name);
  }
  // Last: a folder with a config.json is a whole model.
  return names.sort((a, b) => Number(a === "config.json") - Number(b === "config.json"));
}

async function* piecesOf(file: FileSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE) {
    signal?.throwIfAborted();
    yield await file.read(at, Math.min(PIECE, file.size - at));
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}
