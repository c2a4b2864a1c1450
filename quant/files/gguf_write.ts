/**
 * Writes GGUF files: new ones tensor by tensor, and copies in which only the bytes of chosen tensors change.
 *
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import { GGML_TYPES } from "../formats/ggml_types.ts";
import type { GgufFile, GgufTensor } from "./gguf.ts";
import { encodeGgufHeader, type GgufMetadata } from "./gguf_header.ts";
import { bytesToWrite } from "./tensor_bytes.ts";

/** A tensor to write. */
export interface GgufTensorData {
  /** Name, unique in the file. */
  readonly name: string;
  /** One to four dimensions in GGUF order: columns first. */
  readonly dimensions: readonly number[];
  /** Number of the ggml type. */
  readonly type: number;
  /** The bytes, or a function that yields them in order. */
  readonly bytes: Uint8Array | (() => AsyncIterable<Uint8Array>);
}

/** The contents of a new file. */
export interface GgufContents {
  /** Metadata by key. Plain numbers are written as uint32, int32 or float32; give `{ type, value }` for any other type. */
  readonly metadata: GgufMetadata;
  /** Tensors in file order. */
  readonly tensors: readonly GgufTensorData[];
  /** Alignment of tensors in bytes, a power of two. Default 32; any other value is also written to the metadata. */
  readonly alignment?: number;
}

/**
 * Yields the bytes of a new GGUF file (version 3) in order. A chunk is valid only until the next one is requested.
 *
 * @throws {TypeError} when a tensor's bytes do not match its shape and type.
 * @throws {RangeError} for unknown types, impossible shapes, duplicate names, or an alignment that is not a power of
 * two.
 *
 * @example A file with one tensor
 * ```ts
 * import { bytesSource, readGguf, writeGguf } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new Uint8Array(new Float32Array([1, 2]).buffer);
 * const tensors = [{ name: "pair", dimensions: [2], type: 0, bytes }];
 * const chunks = await Array.fromAsync(writeGguf({ metadata: {}, tensors }), (chunk) => chunk.slice());
 * const file = await readGguf(bytesSource(new Uint8Array(await new Blob(chunks).arrayBuffer())));
 * assertEquals(file.tensorByName("pair").byteLength, 8);
 * ```
 */
export async function* writeGguf(contents: GgufContents): AsyncGenerator<Uint8Array> {
  const alignment = contents.alignment ?? 32;
  if (!(Number.isInteger(Math.log2(alignment)) && alignment >= 8)) {
    throw new RangeError(
      `Cannot write a GGUF file with alignment ${alignment}: not a power of two from 8`,
    );
  }
  const names = new Set<string>();
  let offset = 0;
  const entries = contents.tensors.map((tensor) => {
    if (names.has(tensor.name)) {
      throw new RangeError(`Cannot write tensor "${tensor.name}": the name occurs twice`);
    }
    names.add(tensor.name);
    const byteLength = lengthOf(tensor);
    const entry = { ...tensor, offset, byteLength };
    offset += Math.ceil(byteLength / alignment) * alignment;
    return entry;
  });
  const header = encodeGgufHeader(contents.metadata, entries, alignment);
  yield header;
  for (const { byteLength, ...tensor } of entries) {
    yield* bytesToWrite(tensor, byteLength, "shape and type");
    const padding = Math.ceil(byteLength / alignment) * alignment - byteLength;
    if (padding > 0) yield new Uint8Array(padding);
  }
}

/** Changes the bytes of whole rows of a tensor in place. `firstRow` is the index of the first of them. */
export type RowPatch = (bytes: Uint8Array<ArrayBuffer>, firstRow: number) => void;

/**
 * Copies a GGUF file: yields its bytes in order, in pieces of at most `pieceBytes` (default 8 MiB; at least one row).
 * The bytes of each tensor named in `replace` are passed through its function, whole rows at a time; all other bytes
 * stay the same.
 *
 * @throws {RangeError} when the file has no tensor of a name in `replace`.
 *
 * @example Negate one tensor
 * ```ts
 * import { bytesSource, patchGguf, readGguf, writeGguf } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const joined = async (chunks: AsyncIterable<Uint8Array>) => {
 *   const copies = await Array.fromAsync(chunks, (chunk) => new Uint8Array(chunk));
 *   return new Uint8Array(await new Blob(copies).arrayBuffer());
 * };
 * const bytes = new Uint8Array(new Float32Array([1, 2]).buffer);
 * const tensors = [{ name: "pair", dimensions: [2], type: 0, bytes }];
 * const source = bytesSource(await joined(writeGguf({ metadata: {}, tensors })));
 * const file = await readGguf(source);
 * const negate = (row: Uint8Array<ArrayBuffer>) => {
 *   const values = new Float32Array(row.buffer, row.byteOffset, row.byteLength / 4);
 *   values.forEach((value, i) => values[i] = -value);
 * };
 * const patched = await joined(patchGguf(source, file, new Map([["pair", negate]])));
 * const { offset, byteLength } = file.tensorByName("pair");
 * assertEquals([...new Float32Array(patched.slice(offset, offset + byteLength).buffer)], [-1, -2]);
 * ```
 */
export async function* patchGguf(
  source: ByteSource,
  file: GgufFile,
  replace: ReadonlyMap<string, RowPatch>,
  pieceBytes: number = 8 * 1024 * 1024,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (!(Number.isSafeInteger(pieceBytes) && pieceBytes > 0)) {
    throw new RangeError(`Cannot copy "${source.name}" in pieces of ${pieceBytes} bytes`);
  }
  const patched = [...replace]
    .map(([name, patch]) => ({ tensor: file.tensorByName(name), patch }))
    .sort((a, b) => a.tensor.offset - b.tensor.offset);
  let position = 0;
  for (const { tensor, patch } of patched) {
    yield* copy(source, position, tensor.offset, pieceBytes);
    yield* patchedTensor(source, tensor, patch, pieceBytes);
    position = tensor.offset + tensor.byteLength;
  }
  yield* copy(source, position, source.size, pieceBytes);
}

async function* copy(
  source: ByteSource,
  from: number,
  to: number,
  pieceBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = from; at < to; at += pieceBytes) {
    yield await source.read(at, Math.min(pieceBytes, to - at));
  }
}

/** Yields the bytes of one tensor, whole rows at a time, changed by `patch` if one is given. */
export async function* patchedTensor(
  source: ByteSource,
  tensor: GgufTensor,
  patch: RowPatch | undefined,
  pieceBytes: number = 8 * 1024 * 1024,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const rows = tensor.dimensions.slice(1).reduce((product, dimension) => product * dimension, 1);
  const rowBytes = tensor.byteLength / rows;
  const rowsAtOnce = Math.max(1, Math.floor(pieceBytes / rowBytes));
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - row);
    const bytes = await source.read(tensor.offset + row * rowBytes, count * rowBytes);
    patch?.(bytes, row);
    yield bytes;
  }
}

function lengthOf(tensor: GgufTensorData): number {
  const type = GGML_TYPES.get(tensor.type);
  const { name, dimensions } = tensor;
  const elements = dimensions.reduce((product, dimension) => product * dimension, 1);
  if (
    dimensions.length < 1 || dimensions.length > 4 || !Number.isSafeInteger(elements) ||
    dimensions.some((dimension) => !(Number.isSafeInteger(dimension) && dimension > 0))
  ) {
    throw new RangeError(`Cannot write tensor "${name}": impossible shape [${dimensions}]`);
  }
  if (type === undefined) {
    throw new RangeError(`Cannot write tensor "${name}": unknown type ${tensor.type}`);
  }
  if (dimensions[0] % type.blockElements !== 0) {
    throw new RangeError(
      `Cannot write tensor "${name}": ${dimensions[0]} columns are not a multiple of ` +
        `the ${type.blockElements} of ${type.name}`,
    );
  }
  return elements / type.blockElements * type.blockBytes;
}
