/**
 * Converts LoRA factors between their forms in files and on the device: B is transposed, and its rows are put into the model's order if they belong
 * to rotated heads.
 *
 * @module
 */

import type { Weight } from "../../architecture.ts";
import type { PackedTensor } from "../../../quant/layouts/layout.ts";
import { headsToReorder, reorderHeads } from "../head_order.ts";

type Floats = Float32Array<ArrayBuffer>;

/** Transposes a row-major matrix of `rows` rows. */
export function transposed(values: Floats, rows: number): Floats {
  const columns = values.length / rows;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = values[row * columns + column];
    }
  }
  return out;
}

/** Reorders the rows of each head. */
export function reordered(
  values: Floats,
  rows: number,
  heads: number,
  interleave: boolean,
): Floats {
  const packed: PackedTensor = {
    layout: { kind: "dense", type: "f32" },
    rows,
    columns: values.length / rows,
    codes: new Uint32Array(values.buffer, values.byteOffset, values.length),
    scales: new Uint32Array(0),
    codebook: new Uint32Array(0),
  };
  const { codes } = reorderHeads(packed, heads, interleave);
  return new Float32Array(codes.buffer, codes.byteOffset, codes.length);
}

/**
 * Converts B from its form in a file, `[outputs][rank]`, to its form on the device, `[rank][outputs]`.
 *
 * @param interleaved Whether the two elements of a rotated pair are adjacent in the file, as in GGUF files.
 */
export function upFromFile(values: Floats, weight: Weight, interleaved: boolean): Floats {
  const heads = headsToReorder(weight, interleaved);
  const own = heads > 0 ? reordered(values, weight.rows, heads, !interleaved) : values;
  return transposed(own, weight.rows);
}

/** The inverse of {@linkcode upFromFile}: converts B from its form on the device, `[rank][outputs]`, to its form in a file. */
export function upToFile(values: Floats, weight: Weight, interleaved: boolean): Floats {
  const own = transposed(values, values.length / weight.rows);
  const heads = headsToReorder(weight, interleaved);
  return heads > 0 ? reordered(own, weight.rows, heads, interleaved) : own;
}
