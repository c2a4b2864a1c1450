/**
 * Folders quantised with GPTQ or AWQ: linear layers as `NAME.qweight`, `.qzeros`, `.scales` and, for GPTQ, `.g_idx`. Modules
 * that were left alone are dense as ever.
 *
 * The files are input-major, so a tensor is read whole and turned into rows.
 *
 * @module
 */

import { awqToPacked } from "../quant/awq.ts";
import { FORMATS } from "../quant/formats.ts";
import { checkConsecutiveGroups, gptqToPacked } from "../quant/gptq.ts";
import { groupsPerRow, type PackedTensor } from "../quant/layout.ts";
import { sameLayout } from "../quant/planes.ts";
import type { SafetensorsDtype } from "../quant/safetensors.ts";
import { transposedLayout, type TransposedShape } from "../quant/transposed.ts";
import type { TensorSource } from "./source.ts";
import { storedFloats } from "./stored_values.ts";
import type {
  QuantizationMethod,
  QuantizedTensors,
  StoredTensorPlace,
  StoredTensors,
  WantedTensor,
} from "./stored_tensors.ts";

type Settings = Readonly<Record<string, unknown>>;
type Words = Int32Array<ArrayBuffer>;

/** `quant_method` "gptq": 2, 3, 4 or 8 bits in groups of 32, 64, 128 or per row; columns in their order. */
export const gptqTensors: QuantizationMethod = (settings, tensors, what) => {
  const bits = oneOf(settings, ["bits"], [2, 3, 4, 8], what);
  const group = oneOf(settings, ["group_size"], [32, 64, 128, -1], what);
  const form = settings.checkpoint_format ?? "gptq";
  if (form !== "gptq" && form !== "gptq_v2" || settings.is_marlin_format === true) {
    const found = form === "gptq" || form === "gptq_v2" ? "marlin" : form;
    throw new RangeError(
      `Cannot read "${what}": checkpoint_format ${
        JSON.stringify(found)
      } is not supported, known are "gptq", "gptq_v2"`,
    );
  }
  const version = form === "gptq" ? "v1" : "v2";
  return linearLayers(tensors, {
    bits,
    group,
    codesShape: (rows, columns) => [columns * bits / 32, rows],
    unpack: (planes, shape) => gptqToPacked(planes, { ...shape, version }),
  });
};

/** `quant_method` "awq", version GEMM: 4 bits in groups of 32, 64, 128 or per row. */
export const awqTensors: QuantizationMethod = (settings, tensors, what) => {
  const bits = oneOf(settings, ["bits", "w_bit"], [4], what);
  const group = oneOf(settings, ["group_size", "q_group_size"], [32, 64, 128, -1], what);
  const version = settings.version ?? "gemm";
  if (typeof version !== "string" || version.toLowerCase() !== "gemm") {
    throw new RangeError(
      `Cannot read "${what}": version ${
        JSON.stringify(version)
      } of AWQ is not supported, only "gemm"`,
    );
  }
  return linearLayers(tensors, {
    bits,
    group,
    codesShape: (rows, columns) => [columns, rows * bits / 32],
    unpack: awqToPacked,
  });
};

interface Dialect {
  readonly bits: TransposedShape["bits"];
  readonly group: number;
  readonly codesShape: (rows: number, columns: number) => number[];
  readonly unpack: (
    planes: { qweight: Words; qzeros: Words; scales: Uint16Array },
    shape: TransposedShape,
  ) => PackedTensor;
}

function linearLayers(tensors: StoredTensors, dialect: Dialect): QuantizedTensors {
  const module = (stored: string) => stored.replace(/\.weight$/, "");
  return {
    has: (stored) =>
      ["qweight", "qzeros", "scales"].some((plane) => tensors.has(`${module(stored)}.${plane}`)),
    open: ({ stored, ...wanted }) =>
      openLinear(tensors, dialect, { ...wanted, stored: module(stored) }),
  };
}

async function openLinear(
  tensors: StoredTensors,
  { bits, group, codesShape, unpack }: Dialect,
  { name, stored, rows, columns }: WantedTensor,
): Promise<TensorSource> {
  const shape = { bits, group, rows, columns, name: stored };
  const layout = transposedLayout(shape);
  const format = FORMATS.find((f) => !f.gguf && sameLayout(f.layout, layout))!;
  const groups = groupsPerRow(layout, columns);
  const plane = (suffix: string, dtype: SafetensorsDtype, expected: readonly number[]) =>
    planeOf(tensors, `${stored}.${suffix}`, dtype, expected);
  const qweight = plane("qweight", "I32", codesShape(rows, columns));
  const qzeros = plane("qzeros", "I32", [groups, rows * bits / 32]);
  const scales = plane("scales", "F16", [groups, rows]);
  if (tensors.has(`${stored}.g_idx`)) {
    const gIdx = await wordsOf(plane("g_idx", "I32", [columns]));
    checkConsecutiveGroups(gIdx, group, columns, stored);
  }
  await checkNoBias(tensors, `${stored}.bias`);
  return {
    name,
    rows,
    columns,
    format,
    whole: true,
    stored: storedFloats(scales, (row, g) => g * rows + row),
    read: async (firstRow, count) => {
      const packed = unpack({
        qweight: await wordsOf(qweight),
        qzeros: await wordsOf(qzeros),
        scales: new Uint16Array((await bytesOf(scales)).buffer),
      }, shape);
      return rowsOf(packed, firstRow, count);
    },
  };
}

function planeOf(
  tensors: StoredTensors,
  name: string,
  dtype: SafetensorsDtype,
  expected: readonly number[],
): StoredTensorPlace {
  const place = tensors.get(name);
  if (!place) throw new RangeError(`Cannot load tensor "${name}": it is missing`);
  if (place.dtype !== dtype || place.shape.join() !== expected.join()) {
    throw new TypeError(
      `Cannot load tensor "${name}": ${place.dtype} of shape [${place.shape}], expected ${dtype} of [${expected}]`,
    );
  }
  return place;
}

async function bytesOf(
  { file, offset, byteLength }: StoredTensorPlace,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await file.read(offset, byteLength);
  // Views of words start where their buffer does.
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

async function wordsOf(place: StoredTensorPlace): Promise<Words> {
  return new Int32Array((await bytesOf(place)).buffer);
}

// Some writers give every layer a bias of zeros.
async function checkNoBias(tensors: StoredTensors, name: string): Promise<void> {
  const place = tensors.get(name);
  if (place && (await bytesOf(place)).some((byte) => byte !== 0)) {
    throw new RangeError(`Cannot load tensor "${name}": biases of linear layers are not supported`);
  }
}

function rowsOf(t: PackedTensor, first: number, rows: number): PackedTensor {
  if (first === 0 && rows === t.rows) return t;
  if (!(Number.isSafeInteger(first) && first >= 0 && rows >= 0 && first + rows <= t.rows)) {
    throw new RangeError(
      `Cannot read rows ${first} to ${first + rows} of a tensor: it has ${t.rows}`,
    );
  }
  const part = (plane: Uint32Array<ArrayBuffer>) => {
    const perRow = plane.length / t.rows;
    return plane.slice(first * perRow, (first + rows) * perRow);
  };
  return { ...t, rows, codes: part(t.codes), scales: part(t.scales) };
}

function oneOf<Value extends number>(
  settings: Settings,
  keys: readonly string[],
  known: readonly Value[],
  what: string,
): Value {
  const key = keys.find((k) => settings[k] !== undefined) ?? keys[0];
  const value = known.find((v) => v === settings[key]);
  if (value === undefined) {
    throw new RangeError(
      `Cannot read "${what}": quantization setting ${key} is ${
        JSON.stringify(settings[key])
      }, readable are ${known.join(", ")}`,
    );
  }
  return value;
}
