/**
 * Writes a model as one GGUF file, or as a Hugging Face folder in which packed tensors keep their formats.
 *
 * @module
 */

import { assertOptions } from "../../optim/options.ts";
import { bitsPerWeight } from "../../quant/formats/formats.ts";
import { assertOneFile } from "../../quant/files/gguf_split.ts";
import { writeGguf } from "../../quant/files/gguf_write.ts";
import { writeFileWhole } from "./disk/files.ts";
import { type GgufModel, ggufModel } from "./gguf/write_gguf.ts";
import { type OwnFolder, ownFolder, writeOwnFolder } from "./hugging_face/write_own_folder.ts";
import type { ModelSource, StoredFolder } from "./checkpoint.ts";
import { makeFolderOf, placeAt } from "./disk/places.ts";
import { targetKind } from "./disk/target_kind.ts";
import { foldWriteRules, type WriteOptions } from "./write_options.ts";
import { assertOtherFolder, writeStoredFolder } from "./hugging_face/write_folder.ts";

export { modelAsGguf } from "./gguf/write_gguf.ts";
export { type TargetKind, targetKind } from "./disk/target_kind.ts";
export type { FoldWriteOptions, WriteOptions } from "./write_options.ts";

/** What was written. */
export interface WriteReport {
  /** Path of the file or folder. */
  readonly path: string;
  /** Mean bits per weight over all tensors. */
  readonly bitsPerWeight: number;
  /** Number of tensors by format. */
  readonly formats: ReadonlyMap<string, number>;
  /** Information for the user about how it was written, one sentence each. */
  readonly notes?: readonly string[] | undefined;
}

/**
 * Writes `source` to `path`: as a GGUF file if the path ends in `.gguf` (case is ignored), otherwise as a folder. If the tensors come from a
 * folder on disk and only trained values differ, the folder is written in its original form; any other is written in this library's form.
 *
 * @throws {RangeError | TypeError} as {@linkcode assertWritable}, before anything is written.
 *
 * @example A GGUF file as a folder
 * ```ts
 * import { openModelSource, writeModel } from "@qzo/qzo/models";
 * import { assert } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * using source = await openModelSource("demo/model.gguf");
 * const { bitsPerWeight } = await writeModel(source, `${folder}/model`);
 * assert(bitsPerWeight > 4);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function writeModel(
  source: ModelSource,
  path: string,
  options: WriteOptions = {},
): Promise<WriteReport> {
  assertOptions("write a model", options, foldWriteRules);
  const plan = await planOf(source, path, options);
  const notes = [...plan.notes];
  switch (plan.kind) {
    case "gguf":
      await makeFolderOf(path);
      await writeFileWhole(path, writeGguf(plan.model));
      break;
    case "stored":
      notes.push(...await writeStoredFolder(source, plan.folder, path, options));
      break;
    case "own":
      await writeOwnFolder(plan.own, path, options);
  }
  const formats = new Map<string, number>();
  let bits = 0;
  let weights = 0;
  for (const { format, rows, columns } of source.tensors.values()) {
    formats.set(format.name, (formats.get(format.name) ?? 0) + 1);
    bits += bitsPerWeight(format, rows, columns) * rows * columns;
    weights += rows * columns;
  }
  return { path, bitsPerWeight: bits / weights, formats, notes };
}

/**
 * Checks everything about writing `source` to `path` that can be checked without reading a tensor, so that hours of work are not started if the
 * result cannot be saved.
 *
 * @throws {RangeError} for a format, column order or rotary scaling that this kind of file cannot express, for the folder that the model is read
 * from, and for a path with the extension of an adapter.
 * @throws {TypeError} for a tokenizer that GGUF cannot express, or if something of another kind exists at the path.
 *
 * @example A format that only folders can hold
 * ```ts
 * import { assertWritable, openModelSource, quantizedSource } from "@qzo/qzo/models";
 * import { assertRejects } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const quantized = quantizedSource(source, { format: "int4_g32" });
 * await assertWritable(quantized, "small");
 * await assertRejects(() => assertWritable(quantized, "small.gguf"), RangeError, "write a folder");
 * ```
 */
export async function assertWritable(source: ModelSource, path: string): Promise<void> {
  await planOf(source, path);
}

type Plan =
  & { readonly notes: readonly string[] }
  & (
    | { readonly kind: "gguf"; readonly model: GgufModel }
    | { readonly kind: "stored"; readonly folder: StoredFolder }
    | { readonly kind: "own"; readonly own: OwnFolder }
  );

async function planOf(source: ModelSource, path: string, options?: WriteOptions): Promise<Plan> {
  const kind = targetKind(path);
  if (kind === "safetensors") {
    throw new RangeError(
      `Cannot write a model to "${path}": only adapters are single .safetensors files; give a .gguf file or a folder`,
    );
  }
  const there = await placeAt(path);
  if (there && there.isDirectory !== (kind === "folder")) {
    throw new TypeError(
      `Cannot write a ${kind === "folder" ? "folder" : "GGUF file"} to "${path}": there is a ${
        there.isDirectory ? "folder" : "file"
      } of that name`,
    );
  }
  if (kind === "gguf") {
    assertOneFile(path);
    const model = ggufModel(source, options);
    return { kind, model, notes: model.notes };
  }
  if (source.folder) {
    await assertOtherFolder(source.folder, path);
    return { kind: "stored", folder: source.folder, notes: [] };
  }
  const own = ownFolder(source);
  return { kind: "own", own, notes: own.notes };
}
