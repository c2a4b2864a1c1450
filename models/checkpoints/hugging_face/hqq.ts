/**
 * Folders quantised with HQQ, as saved by its library and transformers in safetensors: each linear layer is stored as `NAME.W_q`, `.scale`, `.zero`,
 * and its settings as small tensors.
 *
 * @module
 */

import {
  HQQ_PACKINGS,
  hqqCodeBytes,
  hqqLayout,
  type HqqPacking,
  hqqToPacked,
} from "../../../quant/packings/hqq.ts";
import type { TensorSource } from "../checkpoint.ts";
import {
  bytesOf,
  checkShapeRecord,
  FLOATS,
  formatOfLayout,
  halvesOf,
  integersOf,
  linearLayers,
  type Plane,
  planeOf,
  wholeTensor,
} from "./stored_planes.ts";
import type { QuantizationMethod, StoredTensors, WantedTensor } from "./stored_tensors.ts";
import { storedFloats } from "../stored_values.ts";

/** `quant_method` "hqq": 2, 3, 4 or 8 bits, in groups of 32, 64, 128 or a row along axis 1, or of any size that divides the rows along axis 0. */
export const hqqTensors: QuantizationMethod = (_settings, tensors) => {
  return linearLayers(tensors, [".W_q"], (wanted) => openLinear(tensors, wanted));
};

async function openLinear(
  tensors: StoredTensors,
  wanted: WantedTensor,
): Promise<TensorSource> {
  const { stored, rows, columns } = wanted;
  const attempt = `Cannot load tensor "${stored}"`;
  const one = async (field: string) => (await integersOf(tensors, `${stored}.${field}`, []))[0];
  await checkShapeRecord(tensors, wanted, "shape");
  const axis = await one("axis");
  if (axis !== 0 && axis !== 1) {
    throw new RangeError(`${attempt}: axis is ${axis}; expected 0 or 1`);
  }
  for (const field of ["quant_scale", "quant_zero"]) {
    if (tensors.has(`${stored}.${field}`) && await one(field) !== 0) {
      throw new RangeError(`${attempt}: ${field} is set, but quantised scales are not supported`);
    }
  }
  const packing = await packingOf(tensors, stored);
  const group = await one("group_size");
  const linear = { packing, axis, group, rows, columns, name: stored } as const;
  const format = formatOfLayout(hqqLayout(linear), stored);
  const groups = rows * columns / group;
  const codes = codesOf(tensors, `${stored}.W_q`, hqqCodeBytes(linear));
  const each = axis === 1 ? [groups, 1] : [1, groups];
  const scale = planeOf(tensors, `${stored}.scale`, FLOATS, each);
  const zero = planeOf(tensors, `${stored}.zero`, FLOATS, each);
  // Along axis 0, a row of scales belongs to a class of rows, and every column is a group.
  const perRow = axis === 1 ? columns / group : columns;
  const at = (row: number, g: number) => row * perRow + g;
  const values = { scales: storedFloats(scale, at), minima: storedFloats(zero, at) };
  return wholeTensor(wanted, { format, stored: values }, async () =>
    hqqToPacked({
      codes: await bytesOf(codes),
      scales: await halvesOf(scale),
      zeros: await halvesOf(zero),
    }, linear));
}

async function packingOf(tensors: StoredTensors, stored: string): Promise<HqqPacking> {
  const name = `${stored}.packing`;
  const length = tensors.get(name)?.shape[0] ?? 0;
  const text = String.fromCharCode(...await integersOf(tensors, name, [Math.min(length, 64)]));
  const known = Object.keys(HQQ_PACKINGS) as HqqPacking[];
  const packing = known.find((p) => p === text);
  if (!packing) {
    throw new RangeError(
      `Cannot load tensor "${stored}": packing is ${JSON.stringify(text)}; expected ${
        known.join(", ")
      }`,
    );
  }
  return packing;
}

// The words may be stored as floats of any width (`view_as_float`); the bytes are the same.
function codesOf(tensors: StoredTensors, name: string, byteLength: number): Plane {
  const place = tensors.get(name);
  if (!place) throw new RangeError(`Cannot load tensor "${name}": it is missing`);
  if (place.byteLength !== byteLength) {
    throw new TypeError(
      `Cannot load tensor "${name}": ${place.dtype} of shape [${place.shape}], expected ${byteLength} bytes`,
    );
  }
  return { ...place, name };
}
