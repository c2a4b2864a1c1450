/**
 * GGUF models split into several files, as llama.cpp's `gguf-split` writes them: `NAME-00001-of-0000N.gguf`. The first
 * file holds the metadata. Each file stores its own index (`split.no`, from 0), the number of files (`split.count`) and
 * the total number of tensors (`split.tensors.count`).
 *
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import type { GgufFile } from "./gguf.ts";
import type { GgufTyped } from "./gguf_header.ts";
import type { GgufValue } from "./gguf_value.ts";
import { patchedTensor, type RowPatch, writeGguf } from "./gguf_write.ts";

/** One file of a split model. */
export interface GgufPart {
  /** Source of its bytes. */
  readonly source: ByteSource;
  /** Its header. */
  readonly file: GgufFile;
}

const SPLIT_NAME = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/si;
const MOST_PARTS = 1000;

/**
 * The paths of all files of a split model, if `path` is one of them; otherwise undefined.
 *
 * @throws {RangeError} for a number greater than the count, or for more than 1000 files.
 *
 * @example Two files
 * ```ts
 * import { splitPaths } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(splitPaths("m-00002-of-00002.gguf"), ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]);
 * assertEquals(splitPaths("m.gguf"), undefined);
 * ```
 */
export function splitPaths(path: string): string[] | undefined {
  const match = SPLIT_NAME.exec(path);
  if (!match) return undefined;
  const [, prefix, number, count, ending] = match;
  if (!(Number(number) >= 1 && Number(number) <= Number(count) && Number(count) <= MOST_PARTS)) {
    throw new RangeError(
      `Cannot open "${path}": there is no part ${Number(number)} of ${Number(count)}`,
    );
  }
  return Array.from(
    { length: Number(count) },
    (_, i) => `${prefix}-${String(i + 1).padStart(5, "0")}-of-${count}${ending}`,
  );
}

/**
 * Rejects a path that looks like one part of a split model when the model is written as a single file: readers would
 * look for the other parts.
 *
 * @throws {RangeError} for such a name.
 */
export function assertOneFile(path: string): void {
  const count = splitPaths(path)?.length ?? 1;
  if (count === 1) return;
  throw new RangeError(
    `Cannot write "${path}": the name is that of one of ${count} parts, but the model is written as a single file. Choose a name without -0000N-of-0000M`,
  );
}

/**
 * Checks that files are the parts of one model, in order.
 *
 * @throws {RangeError} naming the file and the field that does not match, or a tensor that two files contain.
 */
export function checkParts(parts: readonly GgufPart[]): void {
  const total = parts.reduce((sum, { file }) => sum + file.tensors.length, 0);
  const owners = new Map<string, string>();
  for (const [i, { source, file }] of parts.entries()) {
    const wanted = { "split.no": i, "split.count": parts.length, "split.tensors.count": total };
    for (const [key, value] of Object.entries(wanted)) {
      const found = file.metadata.get(key);
      if (found !== value) {
        throw new RangeError(`Cannot read "${source.name}": ${key} is ${found}, expected ${value}`);
      }
    }
    for (const { name } of file.tensors) {
      const owner = owners.get(name);
      if (owner !== undefined) {
        throw new RangeError(
          `Cannot read tensor "${name}": both "${owner}" and "${source.name}" contain it`,
        );
      }
      owners.set(name, source.name);
    }
  }
}

/** A file's metadata, ready to be written again: without the keys that describe a split, and without the keys in `drop`. */
export function copiedMetadata(
  { metadata, valueTypes }: GgufFile,
  drop: readonly string[] = [],
): Map<string, GgufValue | GgufTyped> {
  const copy = new Map<string, GgufValue | GgufTyped>();
  for (const [key, value] of metadata) {
    if (key.startsWith("split.") || drop.includes(key)) continue;
    const type = valueTypes.get(key);
    copy.set(
      key,
      type && !Array.isArray(value) && !ArrayBuffer.isView(value)
        ? { type, value } as GgufTyped
        : value,
    );
  }
  return copy;
}

/**
 * Merges the files of a split model into one file, whose bytes it yields in order. The bytes of each tensor named in
 * `replace` are passed through its function, whole rows at a time; all other bytes stay the same.
 *
 * @throws {RangeError} when `replace` names a tensor that no file contains.
 */
export async function* mergeGguf(
  parts: readonly GgufPart[],
  replace: ReadonlyMap<string, RowPatch> = new Map(),
): AsyncGenerator<Uint8Array> {
  const all = parts.flatMap(({ source, file }) =>
    file.tensors.map((tensor) => ({ source, tensor }))
  );
  for (const name of replace.keys()) {
    if (!all.some(({ tensor }) => tensor.name === name)) {
      throw new RangeError(`Cannot replace tensor "${name}": the model has no such tensor`);
    }
  }
  const tensors = all.map(({ source, tensor }) => ({
    name: tensor.name,
    dimensions: tensor.dimensions,
    type: tensor.type,
    bytes: () => patchedTensor(source, tensor, replace.get(tensor.name)),
  }));
  const [{ file }] = parts;
  const metadata = copiedMetadata(file);
  yield* writeGguf({ metadata, tensors, alignment: file.alignment });
}
