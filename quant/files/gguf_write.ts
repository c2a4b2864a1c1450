/**
 * GGUF files written: new ones tensor by tensor, and copies of old ones in which only chosen tensors' bytes change.
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
  /** Unique in the file. */
  readonly name: string;
  /** In GGUF order: columns first; 1 to 4. */
  readonly dimensions: readonly number[];
  /** The ggml type's number. */
  readonly type: number;
  /** The bytes, or where they come from, in order. */
  readonly bytes: Uint8Array | (() => AsyncIterable<Uint8Array>);
}

/** What a new file contains. */
export interface GgufContents {
  /** By key. Plain numbers become uint32, int32 or float32; say `{ type, value }` where that is not meant. */
  readonly metadata: GgufMetadata;
  /** In the order of the file. */
  readonly tensors: readonly GgufTensorData[];
  /** A power of two, 32 by default; another one is written into the metadata. */
  readonly alignment?: number;
}

/**
 * The bytes of a new GGUF file (version 3), in order. A chunk is only valid until the next one is asked for.
 *
 * @throws {TypeError} when a tensor's bytes do not fit its shape and type.
 * @throws {RangeError} for unknown types, impossible shapes, duplicate names, an alignment that is no power of two.
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

/** Changes the bytes of some whole rows of a tensor in place; `firstRow` is the first of them. */
export type RowPatch = (bytes: Uint8Array<ArrayBuffer>, firstRow: number) => void;

/**
 * The bytes of an existing GGUF file, in order, in pieces of at most `pieceBytes` (default 8 MiB; at least one row).
 * The bytes of each tensor named in `replace` pass through its function, whole rows at a time; all others stay as they are.
 *
 * @throws {RangeError} when the file has no tensor of a name.
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

/** The bytes of one tensor, whole rows at a time, changed by `patch` if there is one. */
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
