/**
 * What readers of quantised folders have in common: planes by name and shape, checked; halves, words and settings.
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

/** What a quantisation's settings hold, not checked yet. */
export type Settings = Readonly<Record<string, unknown>>;

/** Types that scales and zero points come in. */
export const FLOATS: readonly SafetensorsDtype[] = ["F16", "BF16", "F32"];

/** A plane, with its name for messages. */
export interface Plane extends StoredTensorPlace {
  /** In the file. */
  readonly name: string;
}

/**
 * A plane of a tensor.
 *
 * @throws {RangeError} when it is missing. @throws {TypeError} for another type or shape.
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

/** All bytes of a plane, in a buffer of their own. */
export async function bytesOf(
  { file, offset, byteLength }: StoredTensorPlace,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await file.read(offset, byteLength);
  // Views of words start where their buffer does.
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/** The words of a plane. */
export async function wordsOf(place: StoredTensorPlace): Promise<Int32Array<ArrayBuffer>> {
  return new Int32Array((await bytesOf(place)).buffer);
}

/**
 * The values of a plane of floats as the nearest f16 bits: of f16 as they are, of bf16 without loss from 2^-14 up, of f32
 * rounded.
 *
 * @throws {RangeError} naming the tensor for a value that is not finite or beyond f16.
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

/** The integers of a small plane of 1, 4 or 8-byte integers. @throws {TypeError} for another type. */
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
 * @param rows Output features of the layer
 * @throws {RangeError} when it has a bias that is not zero: some writers give every layer one of zeros.
 */
export async function checkNoBias(
  tensors: StoredTensors,
  name: string,
  rows: number,
): Promise<void> {
  const place = tensors.has(name) ? tensors.get(name) : undefined;
  if (!place) return;
  // More bytes than a bias of f64 has are none, and not worth reading.
  const isZero = place.byteLength <= rows * 8 && (await bytesOf(place)).every((byte) => byte === 0);
  if (!isZero) {
    throw new RangeError(`Cannot load tensor "${name}": biases of linear layers are not supported`);
  }
}

/** Some rows of a tensor without a codebook, or the whole of any. @throws {RangeError} for rows that are not there. */
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
    // An odd number of halves: a word holds the end of one row and the start of the next.
    const all = new Uint16Array(plane.buffer, plane.byteOffset, plane.length * 2);
    const halves = Math.floor(all.length / t.rows);
    const out = new Uint32Array(Math.ceil(rows * halves / 2));
    new Uint16Array(out.buffer).set(all.subarray(first * halves, (first + rows) * halves));
    return out;
  };
  const rest = { ...t, rows, codes: part(t.codes), scales: part(t.scales) };
  const period = rowPeriod(t.layout);
  if (period === undefined) return rest;
  // The first row's class comes first.
  const turn = first % period * t.columns;
  const [head, tail] = [t.codebook.subarray(turn), t.codebook.subarray(0, turn)];
  const codebook = new Uint32Array(t.codebook.length);
  codebook.set(head);
  codebook.set(tail, head.length);
  return { ...rest, codebook };
}

/** The format that stores a layout's planes as they are. @throws {RangeError} naming the tensor when there is none. */
export function formatOfLayout(layout: Layout, tensor: string): Format {
  const format = ownFormat(layout);
  if (!format) {
    throw new RangeError(
      `Cannot load tensor "${tensor}": no format has the layout ${JSON.stringify(layout)}`,
    );
  }
  return format;
}

/** The first of `keys` that the settings have, if its value is known. @throws {RangeError} naming key and value. */
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
 * The linear layers of a folder whose planes are called `MODULE` and a suffix: quantised where one of `suffixes` is there.
 * `open` is given the module's name as `stored`.
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

/** A tensor that can only be unpacked whole. */
export function wholeTensor(
  { name, rows, columns }: WantedTensor,
  rest: Pick<TensorSource, "format" | "stored" | "columnOrder">,
  unpack: () => Promise<PackedTensor>,
): TensorSource {
  const read = async (first: number, count: number) => rowsOf(await unpack(), first, count);
  return { name, rows, columns, ...rest, whole: true, read };
}

/** @throws {RangeError} when a layer's own record of its shape, tensor `NAME.FIELD`, is another. */
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
