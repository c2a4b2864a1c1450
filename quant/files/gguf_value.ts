/**
 * GGUF metadata values and how to read them.
 *
 * @module
 */

import type { HeaderReader } from "./header_reader.ts";

/** A list of numbers, as the file stores it. */
export type GgufNumbers =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>;

/**
 * A metadata value. A 64-bit integer is a number if a number represents it exactly, and a bigint otherwise. Lists of
 * numbers are typed arrays.
 */
export type GgufValue = number | bigint | boolean | string | string[] | boolean[] | GgufNumbers;

/** Names of the value types, indexed by their number in the file. */
export const GGUF_VALUE_TYPES = [
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "bool",
  "string",
  "array",
  "uint64",
  "int64",
  "float64",
] as const;

/** The type of a metadata value. */
export type GgufValueType = typeof GGUF_VALUE_TYPES[number];

type NumberType = Exclude<GgufValueType, "bool" | "string" | "array">;

const ARRAYS: { readonly [T in NumberType]: new (buffer: ArrayBuffer) => GgufNumbers } = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  float64: Float64Array,
};
const BYTES: { readonly [T in GgufValueType]: number } = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  bool: 1,
  // The minimum for a string or list is its length field.
  string: 8,
  array: 12,
  uint64: 8,
  int64: 8,
  float64: 8,
};
const LONGEST_NAME = 65535;
/** Far longer than any chat template. */
const LONGEST_TEXT = 16 * 2 ** 20;

/**
 * The type with this number.
 *
 * @throws {SyntaxError} naming `field`, when the number is unknown.
 */
export function valueType(number: number, field: string, file: string): GgufValueType {
  const type = GGUF_VALUE_TYPES[number];
  if (type === undefined) {
    throw new SyntaxError(`Cannot read ${field} of "${file}": unknown value type ${number}`);
  }
  return type;
}

/**
 * Reads a length-prefixed key or name: valid UTF-8 of 1 to 65,535 bytes. Throws SyntaxError or RangeError naming
 * `field`.
 */
export async function readName(reader: HeaderReader, field: string): Promise<string> {
  await reader.need(8, `the length of ${field}`);
  const length = reader.uint64();
  if (length === 0 || length > LONGEST_NAME) {
    throw new RangeError(
      `Cannot read ${field} of "${reader.source.name}": the name has ${length} bytes, expected 1 to ${LONGEST_NAME}`,
    );
  }
  await reader.need(length, field);
  try {
    return reader.text(length, true);
  } catch {
    throw new SyntaxError(`Cannot read ${field} of "${reader.source.name}": not UTF-8`);
  }
}

/** Reads one value of a known type. `field` is its name in error messages. Nested lists are rejected, as in llama.cpp. */
export async function readValue(
  reader: HeaderReader,
  type: GgufValueType,
  field: string,
): Promise<GgufValue> {
  switch (type) {
    case "string": {
      await reader.need(8, `the length of ${field}`);
      return await readText(reader, reader.uint64(), field);
    }
    case "bool":
      await reader.need(1, field);
      return boolOf(reader, field);
    case "array":
      return await readArray(reader, field);
    default: {
      await reader.need(BYTES[type], field);
      const value = new ARRAYS[type](reader.take(BYTES[type]).buffer)[0];
      if (typeof value === "number") return value;
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }
  }
}

/** Reads a text of `length` bytes. */
async function readText(reader: HeaderReader, length: number, field: string): Promise<string> {
  // Checked before reading, because the length comes from the untrusted file.
  if (length > LONGEST_TEXT) {
    throw new RangeError(
      `Cannot read ${field} of "${reader.source.name}": the text has ${length} bytes, at most ${LONGEST_TEXT} are allowed`,
    );
  }
  await reader.need(length, field);
  return reader.text(length);
}

async function readArray(reader: HeaderReader, field: string): Promise<GgufValue> {
  await reader.need(12, `the type and count of ${field}`);
  const type = valueType(reader.uint32(), field, reader.source.name);
  const count = reader.uint64();
  if (type === "array") {
    throw new SyntaxError(
      `Cannot read ${field} of "${reader.source.name}": lists of lists are not allowed`,
    );
  }
  if (count * BYTES[type] > reader.remaining) {
    throw new RangeError(
      `Cannot read ${field} of "${reader.source.name}": ${count} elements of type ${type} ` +
        `do not fit into the remaining ${reader.remaining} bytes`,
    );
  }
  reader.count(count, field);
  switch (type) {
    case "string": {
      const texts: string[] = [];
      for (let i = 0; i < count; i++) {
        if (reader.available < 8) await reader.need(8, `the length of ${field}[${i}]`);
        const length = reader.uint64();
        texts.push(
          reader.available < length || length > LONGEST_TEXT
            ? await readText(reader, length, `${field}[${i}]`)
            : reader.text(length),
        );
      }
      return texts;
    }
    case "bool": {
      await reader.need(count, field);
      const flags: boolean[] = [];
      for (let i = 0; i < count; i++) flags.push(boolOf(reader, field));
      return flags;
    }
    default:
      await reader.need(count * BYTES[type], field);
      return new ARRAYS[type](reader.take(count * BYTES[type]).buffer);
  }
}

function boolOf(reader: HeaderReader, field: string): boolean {
  const byte = reader.uint8();
  if (byte > 1) {
    throw new SyntaxError(
      `Cannot read ${field} of "${reader.source.name}": ${byte} is not a boolean`,
    );
  }
  return byte === 1;
}
