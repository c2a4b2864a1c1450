/**
 * Four-bit linear layers of folders quantised with torchao: `NAME._weight_qdata` with `._weight_scale` and `._weight_zero_point`, or in tiles with
 * `._weight_scale_and_zero`.
 *
 * @module
 */

import {
  int4Layout,
  int4RowsToPacked,
  int4TilesToPacked,
} from "../../../quant/packings/torchao_int4.ts";
import type { TensorSource } from "../checkpoint.ts";
import {
  bytesOf,
  FLOATS,
  formatOfLayout,
  halvesOf,
  planeOf,
  wholeTensor,
  wordsOf,
} from "./stored_planes.ts";
import type { StoredTensors, WantedTensor } from "./stored_tensors.ts";
import { storedFloats } from "../stored_values.ts";

/** `Int4Tensor`: two signed codes per byte. */
export function openInt4Rows(
  tensors: StoredTensors,
  wanted: WantedTensor,
): TensorSource {
  const { stored, rows, columns } = wanted;
  const plane = (suffix: string) => `${stored}._weight_${suffix}`;
  const codes = planeOf(tensors, plane("qdata"), ["I8", "U8"], [rows, columns / 2]);
  const groups = tensors.get(plane("scale"))?.shape[0] ?? 1;
  const scale = planeOf(tensors, plane("scale"), FLOATS, [groups, rows]);
  const zero = planeOf(tensors, plane("zero_point"), FLOATS, [groups, rows]);
  const shape = { group: columns / groups, rows, columns, name: stored };
  const format = formatOfLayout(int4Layout(shape), stored);
  const at = (row: number, g: number) => g * rows + row;
  const values = { scales: storedFloats(scale, at), minima: storedFloats(zero, at) };
  return wholeTensor(wanted, { format, stored: values }, async () =>
    int4RowsToPacked({
      codes: await bytesOf(codes),
      scales: await halvesOf(scale),
      zeros: await halvesOf(zero),
    }, shape));
}

/** `Int4TilePackedTo4dTensor`: the order used by CUDA's tensor cores. AMD's order cannot be recognised from the file. */
export function openInt4Tiles(
  tensors: StoredTensors,
  wanted: WantedTensor,
): TensorSource {
  const { stored, rows, columns } = wanted;
  const plane = (suffix: string) => `${stored}._weight_${suffix}`;
  const [, outers, , half] = tensors.get(plane("qdata"))!.shape;
  const tiles = 2 * half;
  // Columns are padded as the kernel requires, at least to whole tiles. The planes have as many columns as the words.
  const width = outers * 16 * tiles;
  const height = Math.ceil(rows / 8) * 8;
  const codes = planeOf(tensors, plane("qdata"), ["I32"], [height / 8, outers, 32, half]);
  const groups = tensors.get(plane("scale_and_zero"))?.shape[0] ?? 1;
  const scaleAndZero = planeOf(tensors, plane("scale_and_zero"), FLOATS, [groups, height, 2]);
  if (!(width >= columns && width < columns + 1024)) {
    throw new RangeError(
      `Cannot load tensor "${stored}": its tiles have ${width} columns, expected ${columns} plus padding`,
    );
  }
  const shape = { group: width / groups, rows, columns, width, tiles, name: stored };
  const format = formatOfLayout(int4Layout(shape), stored);
  const at = (row: number, g: number) => (g * height + row) * 2;
  const values = {
    scales: storedFloats(scaleAndZero, at),
    minima: storedFloats(scaleAndZero, (row, g) => at(row, g) + 1),
  };
  return wholeTensor(wanted, { format, stored: values }, async () =>
    int4TilesToPacked({
      codes: await wordsOf(codes),
      scaleAndZero: await halvesOf(scaleAndZero),
    }, shape));
}
