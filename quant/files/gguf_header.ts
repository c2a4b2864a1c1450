/**
 * Encodes the header of a GGUF file.
 *
 * @module
 */

import { bytesOfEscaped } from "./escaped_text.ts";
import {
  GGUF_VALUE_TYPES,
  type GgufNumbers,
  type GgufValue,
  type GgufValueType,
} from "./gguf_value.ts";

/** A metadata value with the type it is written as. For a list, `"array"` leaves the element type to be inferred. */
export interface GgufTyped {
  /** Type of the value, or of a list's elements. */
  readonly type: GgufValueType;
  /** The value itself. */
  readonly value: GgufValue;
}

/** Metadata by key. */
export type GgufMetadata =
  | ReadonlyMap<string, GgufValue | GgufTyped>
  | { readonly [key: string]: GgufValue | GgufTyped };

/** The entry of one tensor in the header. */
export interface GgufEntry {
  /** Name, unique in the file. */
  readonly name: string;
  /** Dimensions in GGUF order: columns first. */
  readonly dimensions: readonly number[];
  /** Number of the ggml type. */
  readonly type: number;
  /** Offset in bytes from the first byte of tensor data. */
  readonly offset: number;
}

/**
 * Encodes magic, version 3, metadata and tensor table, padded to `alignment` bytes.
 *
 * @throws {TypeError} for a value that has no GGUF type.
 */
export function encodeGgufHeader(
  metadata: GgufMetadata,
  tensors: readonly GgufEntry[],
  alignment: number,
): Uint8Array<ArrayBuffer> {
  const values = new Map<string, GgufValue | GgufTyped>(
    metadata instanceof Map ? metadata : Object.entries(metadata),
  );
  if (alignment !== 32 || values.has("general.alignment")) {
    values.set("general.alignment", { type: "uint32", value: alignment });
  }
  const out = new GrowingBytes();
  out.bytes(new TextEncoder().encode("GGUF"));
  out.uint32(3);
  out.uint64(tensors.length);
  out.uint64(values.size);
  for (const [key, value] of values) {
    out.text(key);
    writeValue(out, key, value);
  }
  for (const { name, dimensions, type, offset } of tensors) {
    out.text(name);
    out.uint32(dimensions.length);
    for (const dimension of dimensions) out.uint64(dimension);
    out.uint32(type);
    out.uint64(offset);
  }
  return out.finish(alignment);
}

const ARRAY_TYPES: readonly [new (values: never[]) => GgufNumbers, GgufValueType][] = [
  [Uint8Array, "uint8"],
  [Int8Array, "int8"],
  [Uint16Array, "uint16"],
  [Int16Array, "int16"],
  [Uint32Array, "uint32"],
  [Int32Array, "int32"],
  [Float32Array, "float32"],
  [Float64Array, "float64"],
  [BigUint64Array, "uint64"],
  [BigInt64Array, "int64"],
];

function writeValue(out: GrowingBytes, key: string, given: GgufValue | GgufTyped): void {
  const typed = isTyped(given) ? given : { type: plainType(key, given), value: given };
  const { value } = typed;
  if (Array.isArray(value)) {
    const type = typeof value[0] === "boolean" || typed.type === "bool" ? "bool" : "string";
    writeListStart(out, type, value.length);
    for (const element of value) writeSingle(out, key, type, element);
  } else if (ArrayBuffer.isView(value)) {
    const type = ARRAY_TYPES.find(([array]) => value instanceof array)![1];
    writeListStart(out, type, value.length);
    out.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else {
    out.uint32(GGUF_VALUE_TYPES.indexOf(typed.type));
    writeSingle(out, key, typed.type, value);
  }
}

function isTyped(value: GgufValue | GgufTyped): value is GgufTyped {
  return typeof value === "object" && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function plainType(key: string, value: GgufValue): GgufValueType {
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "bigint":
      return value < 0n ? "int64" : "uint64";
    case "number":
      if (!Number.isInteger(value)) return "float32";
      if (value >= 0 && value < 2 ** 32) return "uint32";
      if (value < 0 && value >= -(2 ** 31)) return "int32";
      if (Number.isSafeInteger(value)) return value < 0 ? "int64" : "uint64";
      return "float64";
    case "object":
      if (Array.isArray(value) || ArrayBuffer.isView(value)) return "array";
  }
  throw new TypeError(`Cannot write metadata "${key}": no GGUF type for ${value}`);
}

function writeListStart(out: GrowingBytes, type: GgufValueType, length: number): void {
  out.uint32(GGUF_VALUE_TYPES.indexOf("array"));
  out.uint32(GGUF_VALUE_TYPES.indexOf(type));
  out.uint64(length);
}

function writeSingle(
  out: GrowingBytes,
  key: string,
  type: GgufValueType,
  value: Exclude<GgufValue, GgufNumbers | string[] | boolean[]>,
): void {
  if (type === "string" && typeof value === "string") return out.text(value);
  if (type === "bool" && typeof value === "boolean") return out.bytes(new Uint8Array([+value]));
  if (typeof value === "number" || typeof value === "bigint") {
    const bytes = numberBytes(type, value);
    if (bytes !== undefined) return out.bytes(bytes);
  }
  throw new TypeError(`Cannot write metadata "${key}": ${value} is not of type ${type}`);
}

function numberBytes(type: GgufValueType, value: number | bigint): Uint8Array | undefined {
  if (type === "uint64" || type === "int64") {
    if (typeof value === "number" && !Number.isSafeInteger(value)) return undefined;
    const wide = BigInt(value);
    const stored = type === "uint64" ? BigUint64Array.of(wide) : BigInt64Array.of(wide);
    return stored[0] === wide ? new Uint8Array(stored.buffer) : undefined;
  }
  const array = ARRAY_TYPES.find(([, name]) => name === type)?.[0];
  if (array === undefined) return undefined;
  const stored = new array([Number(value)] as never[]);
  const isFloat = type === "float32" || type === "float64";
  return isFloat || stored[0] === Number(value) ? new Uint8Array(stored.buffer) : undefined;
}

/** A byte buffer that doubles its capacity when full. */
class GrowingBytes {
  #bytes = new Uint8Array(64 * 1024);
  #length = 0;

  bytes(more: Uint8Array): void {
    while (this.#length + more.length > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(more, this.#length);
    this.#length += more.length;
  }

  uint32(value: number): void {
    this.bytes(new Uint8Array(Uint32Array.of(value).buffer));
  }

  uint64(value: number): void {
    this.bytes(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  }

  text(text: string): void {
    const bytes = bytesOfEscaped(text);
    this.uint64(bytes.length);
    this.bytes(bytes);
  }

  finish(alignment: number): Uint8Array<ArrayBuffer> {
    this.bytes(new Uint8Array((alignment - this.#length % alignment) % alignment));
    return this.#bytes.slice(0, this.#length);
  }
}
