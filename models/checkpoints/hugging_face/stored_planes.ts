/**
 * Shared code of the readers of quantised folders: planes by name, with checked shapes; halves, words and settings.
 *
 * @module
 */

import {
  bfloat16ToNumber,
  float16ToNumber,
  numberToFloat16,
} from "../../../quant/layouts/float16.ts";
import type { Format } from "../../../quant/formats/format.ts";
import { formatOfLayout as ownFormat } from "../../../quant/formats/formats.ts";
import { type Layout, type PackedTensor, rowPeriod } from "../../../quant/layouts/layout.ts";
import type { SafetensorsDtype } from "../../../quant/files/safetensors.ts";
import { shown } from "../../config/config_keys.ts";
import type { TensorSource } from "../checkpoint.ts";
import type {
  QuantizedTensors,
  StoredTensorPlace,
  StoredTensors,
  WantedTensor,
} from "./stored_tensors.ts";

/** Quantisation settings, not validated. */
export type Settings = Readonly<Record<string, unknown>>;

/** Types in which scales and zero points may be stored. */
export const FLOATS: readonly SafetensorsDtype[] = ["F16", "BF16", "F32"];

/** A plane with its name. */
export interface Plane extends StoredTensorPlace {
  /** Name in the file. */
  readonly name: string;
}

/**
 * A plane of a tensor.
 *
 * @throws {RangeError} when it is missing.
 * @throws {TypeError} when it has another type or shape.
 */
export function planeOf(
  tensors: StoredTensors,
  name: string,
  dtypes: readonly SafetensorsDtype[],
  expected: readonly number[],
): Plane {
  const place = tensors.get(name);
  if (!place) throw new RangeError(`Cannot load tensor "${name}": it is missing`);
  if (!dtypes.includes(place.dtype) || place.shape.join() !== expected.join()) {
    throw new TypeError(
      `Cannot load tensor "${name}": ${place.dtype} of shape [${place.shape}], expected ${
        dtypes.join(" or ")
      } of [${expected}]`,
    );
  }
  return { ...place, name };
}

/** All bytes of a plane, in a separate buffer. */
export async function bytesOf(
  { file, offset, byteLength }: StoredTensorPlace,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await file.read(offset, byteLength);
  // Views of words start at offset 0 of the buffer.
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/** The words of a plane. */
export async function wordsOf(place: StoredTensorPlace): Promise<Int32Array<ArrayBuffer>> {
  return new Int32Array((await bytesOf(place)).buffer);
}

/**
 * The values of a plane of floats as f16 bits, rounded to nearest: f16 is unchanged, bf16 is exact from 2^-14 up, f32 is rounded.
 *
 * @throws {RangeError} when a value is not finite or is outside the range of f16. The message names the tensor.
 */
export async function halvesOf(place: Plane): Promise<Uint16Array<ArrayBuffer>> {
  const { buffer } = await bytesOf(place);
  if (place.dtype === "F16") return new Uint16Array(buffer);
  const values = place.dtype === "F32"
    ? new Float32Array(buffer)
    : Float32Array.from(new Uint16Array(buffer), bfloat16ToNumber);
  return Uint16Array.from(values, (value) => {
    const bits = numberToFloat16(value);
    if (!Number.isFinite(float16ToNumber(bits))) {
      throw new RangeError(
        `Cannot load tensor "${place.name}": its value ${value} does not fit f16`,
      );
    }
    return bits;
  });
}

/** The integers of a small plane of 1, 4 or 8-byte integers. @throws {TypeError} when it has another type. */
export async function integersOf(
  tensors: StoredTensors,
  name: string,
  expected: readonly number[],
): Promise<number[]> {
  const plane = planeOf(tensors, name, ["I64", "I32", "U8"], expected);
  const { buffer } = await bytesOf(plane);
  if (plane.dtype === "U8") return [...new Uint8Array(buffer)];
  if (plane.dtype === "I32") return [...new Int32Array(buffer)];
  return Array.from(new BigInt64Array(buffer), Number);
}

/**
 * @param rows Output features of the layer.
 * @throws {RangeError} when the layer has a bias that is not zero. Biases of zeros, which some writers add to every layer, are accepted.
 */
export async function checkNoBias(
  tensors: StoredTensors,
  name: string,
  rows: number,
): Promise<void> {
  const place = tensors.has(name) ? tensors.get(name) : undefined;
  if (!place) return;
  // A plane with more bytes than a bias of f64 is not a bias, and not worth reading.
  const isZero = place.byteLength <= rows * 8 && (await bytesOf(place)).every((byte) => byte === 0);
  if (!isZero) {
    throw new RangeError(`Cannot load tensor "${name}": biases of linear layers are not supported`);
  }
}

/** Some rows of a tensor without a codebook, or all rows of any tensor. @throws {RangeError} when the rows do not exist. */
function rowsOf(t: PackedTensor, first: number, rows: number): PackedTensor {
  if (first === 0 && rows === t.rows) return t;
  if (!(Number.isSafeInteger(first) && first >= 0 && rows >= 0 && first + rows <= t.rows)) {
    throw new RangeError(
      `Cannot read rows ${first} to ${first + rows} of a tensor: it has ${t.rows}`,
    );
  }
  const part = (plane: Uint32Array<ArrayBuffer>) => {
    const perRow = plane.length / t.rows;
    if (Number.isInteger(first * perRow) && Number.isInteger(rows * perRow)) {
      return plane.slice(first * perRow, (first + rows) * perRow);
    }
    // An odd number of halves per row: a word may contain the end of one row and the start of the next.
    const all = new Uint16Array(plane.buffer, plane.byteOffset, plane.length * 2);
    const halves = Math.floor(all.length / t.rows);
    const out = new Uint32Array(Math.ceil(rows * halves / 2));
    new Uint16Array(out.buffer).set(all.subarray(first * halves, (first + rows) * halves));
    return out;
  };
  const rest = { ...t, rows, codes: part(t.codes), scales: part(t.scales) };
  const period = rowPeriod(t.layout);
  if (period === undefined) return rest;
  // The codebook is rotated so that it begins with the class of the first row.
  const turn = first % period * t.columns;
  const [head, tail] = [t.codebook.subarray(turn), t.codebook.subarray(0, turn)];
  const codebook = new Uint32Array(t.codebook.length);
  codebook.set(head);
  codebook.set(tail, head.length);
  return { ...rest, codebook };
}

/** The format that stores a layout's planes unchanged. @throws {RangeError} when there is none. The message names the tensor. */
export function formatOfLayout(layout: Layout, tensor: string): Format {
  const format = ownFormat(layout);
  if (!format) {
    throw new RangeError(
      `Cannot load tensor "${tensor}": no format has the layout ${JSON.stringify(layout)}`,
    );
  }
  return format;
}

/**
 * The value of the first of `keys` that exists in the settings.
 *
 * @throws {RangeError} when it is not one of `known`. The message gives key and value.
 */
export function oneOf<Value extends number | string | boolean>(
  settings: Settings,
  keys: readonly string[],
  known: readonly Value[],
  what: string,
): Value {
  const key = keys.find((k) => settings[k] !== undefined) ?? keys[0];
  const value = known.find((v) => v === settings[key]);
  if (value === undefined) {
    throw new RangeError(
      `Cannot read "${what}": quantization setting ${key} is ${shown(settings[key])}; expected ${
        known.join(", ")
      }`,
    );
  }
  return value;
}

/**
 * The quantised linear layers of a folder, whose planes are named `MODULE` plus a suffix. A layer is quantised if a plane with one of `suffixes`
 * exists. `open` receives the module's name as `stored`.
 */
export function linearLayers(
  tensors: StoredTensors,
  suffixes: readonly string[],
  open: QuantizedTensors["open"],
): QuantizedTensors {
  const module = (stored: string) => stored.replace(/\.weight$/, "");
  return {
    has: (stored) => suffixes.some((suffix) => tensors.has(module(stored) + suffix)),
    open: ({ stored, ...wanted }) => open({ ...wanted, stored: module(stored) }),
  };
}

/** A tensor that can be unpacked only as a whole. */
export function wholeTensor(
  { name, rows, columns }: WantedTensor,
  rest: Pick<TensorSource, "format" | "stored" | "columnOrder">,
  unpack: () => Promise<PackedTensor>,
): TensorSource {
  const read = async (first: number, count: number) => rowsOf(await unpack(), first, count);
  return { name, rows, columns, ...rest, whole: true, read };
}

/** @throws {RangeError} when the shape recorded in the tensor `NAME.FIELD` differs from the layer's shape. */
export async function checkShapeRecord(
  tensors: StoredTensors,
  { stored, rows, columns }: WantedTensor,
  field: string,
): Promise<void> {
  const given = await integersOf(tensors, `${stored}.${field}`, [2]);
  if (given[0] !== rows || given[1] !== columns) {
    throw new RangeError(
      `Cannot load tensor "${stored}": its ${field} is [${given}], expected [${rows}, ${columns}]`,
    );
  }
}
