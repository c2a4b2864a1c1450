/**
 * Opens whatever a user points at: a GGUF file or a Hugging Face folder.
 *
 * @module
 */

import { openFile } from "./file_source.ts";
import type { ModelSource } from "./source.ts";
import { ggufModelSource } from "./source_gguf.ts";
import { huggingFaceModelSource } from "./source_hugging_face.ts";

/**
 * Opens a model by path: a `.gguf` file, or a folder with `config.json`.
 *
 * @throws {Deno.errors.NotFound} When there is nothing at `path`
 * @throws {SyntaxError | RangeError} When it is damaged or not supported
 */
export async function openModelSource(path: string): Promise<ModelSource> {
  const { isDirectory } = await Deno.stat(path);
  if (isDirectory) return await huggingFaceModelSource(path);
  const file = await openFile(path);
  try {
    return await ggufModelSource(file);
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}
