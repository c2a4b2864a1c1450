/**
 * Reads and writes safetensors files. A file is untrusted, so its header is checked. The format is specified in the
 * README of huggingface/safetensors.
 *
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import { checkJson, JSON_BOUNDS } from "./json_bounds.ts";
import { bytesToWrite } from "./tensor_bytes.ts";

/** Bytes per element, by dtype. */
export const SAFETENSORS_DTYPES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

/** The name of an element type. */
export type SafetensorsDtype = keyof typeof SAFETENSORS_DTYPES;

/** A tensor's type, shape and position in the file. */
export interface SafetensorsTensor {
  /** Element type. */
  readonly dtype: SafetensorsDtype;
  /** Outermost dimension first. A dimension may be 0, and a scalar has no dimensions. */
  readonly shape: number[];
  /** Absolute offset in bytes from the start of the file. */
  readonly offset: number;
  /** Length in bytes. */
  readonly byteLength: number;
}

/** The header of a safetensors file. */
export interface SafetensorsFile {
  /** Tensors by name, in the order of the header. */
  readonly tensors: Map<string, SafetensorsTensor>;
  /** Entries of `__metadata__`. */
  readonly metadata: Map<string, string>;
}

/** A tensor to write. */
export interface SafetensorsTensorData {
  /** Name, unique in the file. */
  readonly name: string;
  /** Element type. */
  readonly dtype: SafetensorsDtype;
  /** Outermost dimension first. */
  readonly shape: readonly number[];
  /** The bytes, or a function that yields them in order. */
  readonly bytes: Uint8Array | (() => AsyncIterable<Uint8Array>);
}

/** Characters of an untrusted value shown in a message. */
const LONGEST_SHOWN = 200;

// The limit of the reference implementation.
const LARGEST_HEADER = 64 * 2 ** 20;

/**
 * Reads the header of a safetensors file. The tensors must fill the file without gaps or overlaps.
 *
 * @throws {SyntaxError} when the header is not JSON of the required form, or contains a key twice.
 * @throws {RangeError} for lengths, shapes and offsets that contradict each other or the file size.
 *
 * @example Write a file and read it
 * ```ts
 * import { bytesSource, readSafetensors, writeSafetensors } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const tensor = { name: "w", dtype: "U8", shape: [2], bytes: new Uint8Array([7, 8]) } as const;
 * const chunks: Uint8Array<ArrayBuffer>[] = [];
 * for await (const chunk of writeSafetensors([tensor])) chunks.push(chunk.slice());
 * const source = bytesSource(new Uint8Array(await new Blob(chunks).arrayBuffer()));
 * const { offset, byteLength } = (await readSafetensors(source)).tensors.get("w")!;
 * assertEquals(await source.read(offset, byteLength), new Uint8Array([7, 8]));
 * ```
 */
export async function readSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const file = `"${source.name}"`;
  if (source.size < 8) {
    throw new RangeError(
      `Cannot read ${file}: ${source.size} bytes are too few for a header length`,
    );
  }
  const length = Number(new DataView((await source.read(0, 8)).buffer).getBigUint64(0, true));
  if (length > source.size - 8 || length > LARGEST_HEADER) {
    throw new RangeError(
      `Cannot read ${file}: its header should have ${length} bytes, but the file has ${source.size}` +
        (length > LARGEST_HEADER
          ? ` and at most ${LARGEST_HEADER} are allowed: it is not a safetensors file, or it is damaged`
          : ": its download or copy is incomplete"),
    );
  }
  const header = parseHeader(await source.read(8, length), file);
  const metadata = new Map<string, string>();
  const tensors = new Map<string, SafetensorsTensor>();
  const dataOffset = 8 + length;
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      for (const [key, text] of Object.entries(objectOf(entry, `${file}: __metadata__`))) {
        if (typeof text !== "string") {
          throw new SyntaxError(`Cannot read ${file}: metadata ${brief(key)} is not a string`);
        }
        metadata.set(key, text);
      }
    } else {
      tensors.set(name, readEntry(entry, dataOffset, `tensor ${brief(name)} of ${file}`));
    }
  }
  checkContiguous(tensors, dataOffset, source);
  return { tensors, metadata };
}

/** The layout of a safetensors file that is yet to be written. */
export interface SafetensorsPlan {
  /** The first bytes of the file. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** Position of each tensor by name, in file order: offset from the start of the file and length, both in bytes. */
  readonly places: ReadonlyMap<string, { readonly offset: number; readonly byteLength: number }>;
}

/**
 * Plans a safetensors file, for callers that produce its tensors in a different order. Tensors with wider elements come
 * first, so every tensor is aligned.
 *
 * @throws {RangeError} for impossible shapes and duplicate names.
 *
 * @example A four-byte number is placed before two bytes
 * ```ts
 * import { planSafetensors } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const tensors = [{ name: "a", dtype: "U8", shape: [2] }, { name: "b", dtype: "F32", shape: [] }] as const;
 * const { header, places } = planSafetensors(tensors);
 * assertEquals(places.get("b"), { offset: header.length, byteLength: 4 });
 * assertEquals(places.get("a"), { offset: header.length + 4, byteLength: 2 });
 * ```
 */
export function planSafetensors(
  tensors: readonly Omit<SafetensorsTensorData, "bytes">[],
  metadata: { readonly [key: string]: string } = {},
): SafetensorsPlan {
  const ordered = tensors.toSorted((a, b) =>
    SAFETENSORS_DTYPES[b.dtype] - SAFETENSORS_DTYPES[a.dtype]
  );
  const entries = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) entries.set("__metadata__", metadata);
  const lengths: [string, number][] = [];
  let end = 0;
  for (const { name, dtype, shape } of ordered) {
    if (entries.has(name) || name === "__metadata__") {
      throw new RangeError(`Cannot write tensor "${name}": the name is already taken`);
    }
    const byteLength = byteLengthOf(dtype, shape, `Cannot write tensor "${name}"`);
    lengths.push([name, byteLength]);
    entries.set(name, { dtype, shape, data_offsets: [end, end += byteLength] });
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  let offset = header.length;
  const places = lengths.map(([name, byteLength]) => {
    const place = { offset, byteLength };
    offset += byteLength;
    return [name, place] as const;
  });
  return { header, places: new Map(places) };
}

/**
 * Yields the bytes of a safetensors file in order. Tensors with wider elements come first, so every tensor is aligned.
 * A chunk is valid only until the next one is requested.
 *
 * @throws {TypeError} when a tensor's bytes do not match its shape and dtype.
 * @throws {RangeError} for impossible shapes and duplicate names.
 *
 * @example A file with one tensor
 * ```ts
 * import { bytesSource, readSafetensors, writeSafetensors } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const pair = { name: "pair", dtype: "U8", shape: [2], bytes: new Uint8Array([1, 2]) } as const;
 * const chunks = await Array.fromAsync(writeSafetensors([pair]), (chunk) => new Uint8Array(chunk));
 * const source = bytesSource(new Uint8Array(await new Blob(chunks).arrayBuffer()));
 * assertEquals((await readSafetensors(source)).tensors.get("pair")?.shape, [2]);
 * ```
 */
export async function* writeSafetensors(
  tensors: readonly SafetensorsTensorData[],
  metadata: { readonly [key: string]: string } = {},
): AsyncGenerator<Uint8Array> {
  const { header, places } = planSafetensors(tensors, metadata);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor.bytes]));
  yield header;
  for (const [name, { byteLength }] of places) {
    yield* bytesToWrite({ name, bytes: byName.get(name)! }, byteLength, "shape and dtype");
  }
}

function parseHeader(bytes: Uint8Array, file: string): { [key: string]: unknown } {
  checkJson(bytes, JSON_BOUNDS.header, `the header of ${file}`);
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`Cannot read ${file}: the header is not JSON`, { cause: error });
  }
  const object = objectOf(header, file);
  // JSON.parse silently keeps the last of two equal keys. There are then fewer pairs than colons in the text.
  if (countPairs(object, 0) !== countColons(text)) {
    throw new SyntaxError(`Cannot read ${file}: a key of the header occurs twice`);
  }
  return object;
}

function objectOf(value: unknown, what: string): { [key: string]: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError(`Cannot read ${what}: expected an object, got ${typeof value}`);
  }
  return { ...value };
}

// Headers have no deeper levels; those are rejected when entries are read.
function countPairs(value: unknown, depth: number): number {
  if (typeof value !== "object" || value === null || depth > 3) return 0;
  if (Array.isArray(value)) {
    return value.reduce((sum: number, element) => sum + countPairs(element, depth + 1), 0);
  }
  const elements = Object.values(value);
  return elements.reduce(
    (sum: number, element) => sum + countPairs(element, depth + 1),
    elements.length,
  );
}

function countColons(text: string): number {
  let colons = 0;
  let inText = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === 0x22) inText = !inText;
    else if (inText && character === 0x5c) i++;
    else if (!inText && character === 0x3a) colons++;
  }
  return colons;
}

function readEntry(entry: unknown, dataOffset: number, what: string): SafetensorsTensor {
  const { dtype, shape, data_offsets: offsets, ...rest } = objectOf(entry, what);
  const [unknownKey] = Object.keys(rest);
  if (unknownKey !== undefined) {
    throw new SyntaxError(`Cannot read ${what}: unknown key ${brief(unknownKey)}`);
  }
  if (typeof dtype !== "string" || !isDtype(dtype)) {
    throw new SyntaxError(`Cannot read ${what}: unknown dtype ${brief(dtype)}`);
  }
  const dimensions = countsOf(shape, `the shape of ${what}`);
  const bounds = countsOf(offsets, `the data_offsets of ${what}`);
  const [begin, end] = bounds;
  const byteLength = byteLengthOf(dtype, dimensions, `Cannot read ${what}`);
  if (bounds.length !== 2 || end - begin !== byteLength) {
    throw new RangeError(
      `Cannot read ${what}: data_offsets are ${brief(bounds)}, but ${dtype} of shape ${
        brief(dimensions)
      } needs ${byteLength} bytes`,
    );
  }
  return { dtype, shape: dimensions, offset: dataOffset + begin, byteLength };
}

/** The beginning of an untrusted value, for a message. */
function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

function isDtype(name: string): name is SafetensorsDtype {
  return Object.hasOwn(SAFETENSORS_DTYPES, name);
}

function countsOf(value: unknown, what: string): number[] {
  if (!Array.isArray(value)) throw new SyntaxError(`Cannot read ${what}: not a list`);
  return value.map((count) => {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(`Cannot read ${what}: ${brief(count)} is not a count`);
    }
    return count;
  });
}

function byteLengthOf(dtype: SafetensorsDtype, shape: readonly number[], attempt: string): number {
  let bytes: number = SAFETENSORS_DTYPES[dtype];
  let isEmpty = false;
  for (const dimension of shape) {
    if (!(Number.isSafeInteger(dimension) && dimension >= 0)) {
      throw new RangeError(`${attempt}: impossible shape ${brief(shape)}`);
    }
    // A zero must not hide an overflow.
    if (dimension === 0) isEmpty = true;
    else bytes *= dimension;
  }
  if (!Number.isSafeInteger(bytes)) {
    throw new RangeError(`${attempt}: impossible shape ${brief(shape)}`);
  }
  return isEmpty ? 0 : bytes;
}

function checkContiguous(
  tensors: Map<string, SafetensorsTensor>,
  dataOffset: number,
  source: ByteSource,
): void {
  let end = dataOffset;
  const byOffset = [...tensors].sort(([, a], [, b]) =>
    a.offset - b.offset || a.byteLength - b.byteLength
  );
  for (const [name, { offset, byteLength }] of byOffset) {
    if (offset !== end || offset + byteLength > source.size) {
      const reason = offset + byteLength > source.size
        ? `${byteLength} bytes at ${offset} extend beyond the file's ${source.size} bytes: its download or copy is incomplete`
        : offset < end
        ? `offset ${offset} overlaps the tensor that ends at ${end}`
        : `there is a gap between ${end} and its offset ${offset}`;
      throw new RangeError(`Cannot read tensor ${brief(name)} of "${source.name}": ${reason}`);
    }
    end = offset + byteLength;
  }
  if (end !== source.size) {
    throw new RangeError(
      `Cannot read "${source.name}": its tensors end at ${end}, but the file has ${source.size} bytes`,
    );
  }
}
