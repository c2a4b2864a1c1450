/**
 * Opens whatever a user points at: a GGUF file or a Hugging Face folder.
 *
 * @module
 */

import { splitPaths } from "../quant/gguf_split.ts";
import { type FileSource, openFile } from "./file_source.ts";
import type { ModelSource } from "./source.ts";
import { ggufModelSource } from "./source_gguf.ts";
import { huggingFaceModelSource } from "./source_hugging_face.ts";

/**
 * Opens a model by path: a `.gguf` file, any file of a split one (`NAME-00001-of-0000N.gguf`), or a folder with `config.json`.
 *
 * @throws {Deno.errors.NotFound} When there is nothing at `path`
 * @throws {SyntaxError | RangeError} When it is damaged or not supported
 */
export async function openModelSource(path: string): Promise<ModelSource> {
  const { isDirectory } = await Deno.stat(path);
  if (isDirectory) return await huggingFaceModelSource(path);
  const files: FileSource[] = [];
  try {
    for (const part of splitPaths(path) ?? [path]) files.push(await openFile(part));
    const [first, ...others] = files;
    return await ggufModelSource(first, others);
  } catch (error) {
    for (const file of files) file[Symbol.dispose]();
    throw error;
  }
}
