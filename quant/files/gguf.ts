/**
 * Reads the header of a GGUF file: its metadata and its tensor table. The file is untrusted, so everything is checked.
 * Tensor data is not read.
 *
 * The format is specified in docs/gguf.md in ggml-org/ggml. Versions 2 and 3 are supported, little endian only.
 *
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import type { Format } from "../formats/format.ts";
import { formatByGgufType, FORMATS } from "../formats/formats.ts";
import { GGML_TYPES } from "../formats/ggml_types.ts";
import {
  type GgufValue,
  type GgufValueType,
  readName,
  readValue,
  valueType,
} from "./gguf_value.ts";
import { HeaderReader } from "./header_reader.ts";

/** One entry of the tensor table. */
export interface GgufTensor {
  /** Name as stored in the file. */
  readonly name: string;
  /** Dimensions in GGUF order: columns first. */
  readonly dimensions: number[];
  /** Number of the ggml type. */
  readonly type: number;
  /** Name of the ggml type, or `unknown type N` for a type that this library does not know. */
  readonly typeName: string;
  /** Absolute offset in bytes from the start of the file. */
  readonly offset: number;
  /** Length in bytes. For an unknown type: the distance to the next tensor or to the end of the file. */
  readonly byteLength: number;
}

/** The header of a GGUF file. */
export interface GgufFile {
  /** Version of the format: 2 or 3. */
  readonly version: number;
  /** Metadata values by key, in file order. */
  readonly metadata: Map<string, GgufValue>;
  /**
   * Type of each metadata value (for lists, of the elements), by key. With these types the file can be written again
   * unchanged.
   */
  readonly valueTypes: Map<string, GgufValueType>;
  /** Tensors in file order. */
  readonly tensors: GgufTensor[];
  /** Every tensor's offset is a multiple of this, in bytes. */
  readonly alignment: number;
  /** Absolute offset of the first tensor, in bytes. */
  readonly dataOffset: number;
  /**
   * Returns the entry of a tensor.
   *
   * @throws {RangeError} when there is no tensor of that name.
   */
  tensorByName(name: string): GgufTensor;
}

const DEFAULT_ALIGNMENT = 32;
const LARGEST_RANK = 4;
// Minimum size of an entry: name length, one byte of name, type, one byte of value; name, rank, one dimension ...
const LEAST_VALUE_BYTES = 8 + 1 + 4 + 1;
const LEAST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8;
// Known files have hundreds of keys and up to tens of thousands of tensors (split experts).
const MOST_VALUES = 2 ** 16;
const MOST_TENSORS = 2 ** 18;

/**
 * Reads the header of a GGUF file. Memory is allocated only for data that fits within the file's size.
 *
 * @throws {SyntaxError} when the file is not valid GGUF: wrong magic or version, unknown value types, duplicate names,
 * or names that are not UTF-8.
 * @throws {RangeError} when counts, lengths, shapes or offsets exceed the file, or when tensors overlap or are
 * misaligned.
 *
 * @example Write a file and read it
 * ```ts
 * import { bytesSource, readGguf, writeGguf } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const chunks: Uint8Array<ArrayBuffer>[] = [];
 * const tensor = { name: "w", dimensions: [2, 1], type: 0, bytes: new Uint8Array(8) };
 * for await (const chunk of writeGguf({ metadata: { "general.name": "tiny" }, tensors: [tensor] })) {
 *   chunks.push(chunk.slice());
 * }
 * const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
 * const file = await readGguf(bytesSource(bytes, "tiny.gguf"));
 * assertEquals(file.metadata.get("general.name"), "tiny");
 * assertEquals(file.tensorByName("w").byteLength, 8);
 * ```
 */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const reader = new HeaderReader(source);
  const { version, tensorCount, valueCount } = await readStart(reader);
  const metadata = new Map<string, GgufValue>();
  const valueTypes = new Map<string, GgufValueType>();
  for (let i = 0; i < valueCount; i++) {
    const key = await readName(reader, `metadata key ${i}`);
    if (metadata.has(key)) fail(SyntaxError, source, `metadata "${key}"`, "the key occurs twice");
    const field = `metadata "${key}"`;
    await reader.need(4, `the type of ${field}`);
    const type = valueType(reader.uint32(), field, source.name);
    if (type === "array") await reader.need(4, `the type of ${field}`);
    valueTypes.set(
      key,
      type === "array" ? valueType(reader.peekUint32(), field, source.name) : type,
    );
    metadata.set(key, await readValue(reader, type, field));
  }
  const alignment = alignmentOf(source, metadata);
  const entries = new Map<string, Entry>();
  for (let i = 0; i < tensorCount; i++) {
    const entry = await readEntry(reader, i);
    if (entries.has(entry.name)) {
      fail(SyntaxError, source, `tensor "${entry.name}"`, "the name occurs twice");
    }
    entries.set(entry.name, entry);
  }
  const dataOffset = Math.ceil(reader.position / alignment) * alignment;
  const tensors = place(source, [...entries.values()], alignment, dataOffset);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return {
    version,
    metadata,
    valueTypes,
    tensors,
    alignment,
    dataOffset,
    tensorByName(name): GgufTensor {
      const tensor = byName.get(name);
      if (tensor === undefined) {
        throw new RangeError(
          `Cannot find tensor "${name}" in "${source.name}" with ${tensors.length} tensors`,
        );
      }
      return tensor;
    },
  };
}

/**
 * The format of a tensor in a GGUF file.
 *
 * @throws {RangeError} naming the type, when this library cannot read it.
 */
export function formatOfGgufTensor(tensor: GgufTensor): Format {
  const format = formatByGgufType(tensor.type);
  if (format === undefined) {
    const known = FORMATS.filter((f) => f.gguf !== undefined).map((f) => f.name).join(", ");
    throw new RangeError(
      `Cannot load tensor "${tensor.name}": its type is ${tensor.typeName}; expected ${known}`,
    );
  }
  return format;
}

interface Entry {
  name: string;
  dimensions: number[];
  type: number;
  relativeOffset: number;
}

async function readStart(
  reader: HeaderReader,
): Promise<{ version: number; tensorCount: number; valueCount: number }> {
  const { source } = reader;
  await reader.need(8, "magic and version");
  const magic = reader.text(4);
  if (magic !== "GGUF") fail(SyntaxError, source, "the magic", `"${magic}" is not "GGUF"`);
  const version = reader.uint32();
  if (version !== 2 && version !== 3) {
    const bigEndian = version !== 0 && version % 65536 === 0;
    fail(
      SyntaxError,
      source,
      "the version",
      bigEndian
        ? "the file is big-endian, which is not supported: get the little-endian version, or convert it with llama.cpp's gguf-convert-endian"
        : version === 1
        ? "version 1, from 2023, is not supported (llama.cpp does not support it either): get a newer file of the model, or convert it again"
        : `${version} is neither 2 nor 3, the supported versions`,
    );
  }
  await reader.need(16, "the counts");
  const tensorCount = reader.uint64();
  const valueCount = reader.uint64();
  for (
    const [count, least, most, what] of [
      [valueCount, LEAST_VALUE_BYTES, MOST_VALUES, "metadata count"],
      [tensorCount, LEAST_TENSOR_BYTES, MOST_TENSORS, "tensor count"],
    ] as const
  ) {
    if (count * least > reader.remaining) {
      fail(
        RangeError,
        source,
        `the ${what}`,
        `${count} do not fit into the remaining ${reader.remaining} bytes`,
      );
    }
    if (count > most) fail(RangeError, source, `the ${what}`, `${count}, ${most} are allowed`);
  }
  return { version, tensorCount, valueCount };
}

function alignmentOf(source: ByteSource, metadata: Map<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (
    typeof alignment !== "number" || alignment < 1 || alignment > 2 ** 31 ||
    !Number.isInteger(Math.log2(alignment))
  ) {
    fail(RangeError, source, `metadata "general.alignment"`, `${alignment} is not a power of two`);
  }
  return alignment;
}

async function readEntry(reader: HeaderReader, i: number): Promise<Entry> {
  const { source } = reader;
  const name = await readName(reader, `the name of tensor ${i}`);
  const field = `tensor "${name}"`;
  await reader.need(4, `the rank of ${field}`);
  const rank = reader.uint32();
  if (rank < 1 || rank > LARGEST_RANK) {
    fail(RangeError, source, field, `${rank} dimensions, expected 1 to ${LARGEST_RANK}`);
  }
  await reader.need(8 * rank + 12, `the entry of ${field}`);
  const dimensions = Array.from({ length: rank }, () => reader.uint64());
  let elements = 1;
  for (const dimension of dimensions) {
    elements *= dimension;
    if (dimension < 1 || !Number.isSafeInteger(elements)) {
      fail(RangeError, source, field, `impossible shape [${dimensions}]`);
    }
  }
  return { name, dimensions, type: reader.uint32(), relativeOffset: reader.uint64() };
}

function place(
  source: ByteSource,
  entries: Entry[],
  alignment: number,
  dataOffset: number,
): GgufTensor[] {
  const byOffset = entries.toSorted((a, b) => a.relativeOffset - b.relativeOffset);
  const lengths = new Map<Entry, number>();
  let end = 0;
  let previous = "";
  for (const [i, entry] of byOffset.entries()) {
    const field = `tensor "${entry.name}"`;
    const { relativeOffset } = entry;
    const offset = dataOffset + relativeOffset;
    if (relativeOffset % alignment !== 0) {
      fail(RangeError, source, field, `offset ${relativeOffset} is not a multiple of ${alignment}`);
    }
    if (offset > source.size) {
      fail(
        RangeError,
        source,
        field,
        `offset ${offset} is beyond the file's ${source.size} bytes: its download or copy is incomplete`,
      );
    }
    if (relativeOffset < end) {
      fail(RangeError, source, field, `its bytes overlap those of tensor "${previous}"`);
    }
    const next = i + 1 < byOffset.length
      ? dataOffset + byOffset[i + 1].relativeOffset
      : source.size;
    const length = byteLength(source, entry) ?? next - offset;
    if (offset + length > source.size) {
      fail(
        RangeError,
        source,
        field,
        `${length} bytes at ${offset} extend beyond the file's ${source.size} bytes: its download or copy is incomplete`,
      );
    }
    lengths.set(entry, length);
    end = relativeOffset + length;
    previous = entry.name;
  }
  return entries.map((entry) => ({
    name: entry.name,
    dimensions: entry.dimensions,
    type: entry.type,
    typeName: GGML_TYPES.get(entry.type)?.name ?? `unknown type ${entry.type}`,
    offset: dataOffset + entry.relativeOffset,
    byteLength: lengths.get(entry)!,
  }));
}

function byteLength(source: ByteSource, entry: Entry): number | undefined {
  const type = GGML_TYPES.get(entry.type);
  if (type === undefined) return undefined;
  const [columns] = entry.dimensions;
  if (columns % type.blockElements !== 0) {
    fail(
      RangeError,
      source,
      `tensor "${entry.name}"`,
      `${columns} columns are not a multiple of the ${type.blockElements} of ${type.name}`,
    );
  }
  const elements = entry.dimensions.reduce((product, dimension) => product * dimension, 1);
  return elements / type.blockElements * type.blockBytes;
}

function fail(
  kind: typeof SyntaxError | typeof RangeError,
  source: ByteSource,
  field: string,
  reason: string,
): never {
  throw new kind(`Cannot read ${field} of "${source.name}": ${reason}`);
}
