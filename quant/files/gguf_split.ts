/**
 * GGUF models in several files, as llama.cpp's `gguf-split` makes them: `NAME-00001-of-0000N.gguf`. The first has the metadata, each
 * says which one it is (`split.no` from 0, `split.count`) and how many tensors there are in all (`split.tensors.count`).
 *
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import type { GgufFile } from "./gguf.ts";
import type { GgufTyped } from "./gguf_header.ts";
import type { GgufValue } from "./gguf_value.ts";
import { patchedTensor, type RowPatch, writeGguf } from "./gguf_write.ts";

/** One file of a model. */
export interface GgufPart {
  /** Its bytes. */
  readonly source: ByteSource;
  /** Its header. */
  readonly file: GgufFile;
}

const SPLIT_NAME = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/si;
const MOST_PARTS = 1000;

/**
 * The paths of all files of a split model, when `path` is that of one of them.
 *
 * @throws {RangeError} for a number beyond the count, or more than 1000 files.
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
 * Refuses the name of one part of several for a model that is written as one file: nobody could open it by that.
 *
 * @throws {RangeError} For such a name
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
 * @throws {RangeError} naming the file and the field that does not fit, or a tensor that two of them have.
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

/** The metadata of a file, to write again: without what says how it was split, and without `drop`. */
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
 * The bytes of one file with all tensors of a split model, in order. The bytes of each tensor named in `replace` pass through its
 * function, whole rows at a time; all others stay as they are.
 *
 * @throws {RangeError} when no file has a tensor of a name.
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
