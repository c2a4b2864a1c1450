/**
 * Packed tensors in safetensors files. Each plane is a tensor with its own name.
 *
 * A tensor `NAME` of a quantised format is stored as `NAME.codes` (U32, `[rows, words]`), `NAME.scales` (F16, `[rows, groups]`, or
 * `[rows, groups, 2]` with the zero point or minimum second) and, for codebooks, `NAME.codebook` (F16, `[books, entries, vector]`). In column
 * layouts, `NAME.scales` is `[classes, columns, 2]`; the scales of super-blocks are U32, `[rows, words]`. A dense tensor is stored as `NAME`.
 * Format and shape are not in the file, but in the folder's config.json.
 *
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import { formatByName } from "../formats/formats.ts";
import type { Layout, PackedTensor } from "../layouts/layout.ts";
import { rulesOf } from "../layouts/layout_table.ts";
import { checkPacked, checkShape, emptyPacked, planeBytes } from "../layouts/planes.ts";
import type { TrainedPart } from "../layouts/trained_part.ts";
import type {
  SafetensorsDtype,
  SafetensorsFile,
  SafetensorsTensor,
  SafetensorsTensorData,
} from "./safetensors.ts";

/** A range of rows of a tensor. */
export interface RowRange {
  /** Index of the first row, from 0. */
  readonly firstRow: number;
  /** Number of rows. */
  readonly rows: number;
}

/** A packed tensor to look for in a file. */
export interface StoredTensor {
  /** Name, without the suffix of a plane. */
  readonly name: string;
  /** Name of the format, as in the table of formats. */
  readonly format: string;
  /** Rows of the whole tensor. */
  readonly rows: number;
  /** Columns of the whole tensor. */
  readonly columns: number;
}

/** The one to three tensors to write for `t`. Throws the errors of `checkPacked`. */
export function packedToSafetensors(
  name: string,
  t: PackedTensor,
): (SafetensorsTensorData & { readonly bytes: Uint8Array })[] {
  checkPacked(t);
  return storedPlanes(name, t.layout, t.rows, t.columns).map(({ plane, name, dtype, shape }) => {
    const elements = shape.reduce((product, dimension) => product * dimension, 1);
    const byteLength = elements * (dtype === "F32" || dtype === "U32" ? 4 : 2);
    return { name, dtype, shape, bytes: planeBytes(t[plane]).subarray(0, byteLength) };
  });
}

/**
 * Reads a packed tensor or some of its rows. The codebook is always read whole. With `planes`, only these planes are read, and the others are zero.
 *
 * @throws {RangeError} for an unknown format, a tensor that is not in the file, or rows that are not in the tensor.
 * @throws {TypeError} when a stored plane has another dtype or shape than the format and shape require.
 */
export async function packedFromSafetensors(
  source: ByteSource,
  file: SafetensorsFile,
  stored: StoredTensor,
  range: RowRange = { firstRow: 0, rows: stored.rows },
  { planes }: { readonly planes?: readonly PlaneName[] } = {},
): Promise<PackedTensor> {
  const { layout } = formatByName(stored.format);
  const { firstRow, rows } = range;
  checkShape(layout, stored.rows, stored.columns);
  if (!(Number.isSafeInteger(firstRow) && firstRow >= 0 && firstRow + rows <= stored.rows)) {
    throw new RangeError(
      `Cannot read rows ${firstRow} to ${
        firstRow + rows
      } of tensor "${stored.name}": it has ${stored.rows}`,
    );
  }
  const { name, columns } = stored;
  const wanted = storedPlanes(name, layout, stored.rows, columns)
    .filter(({ plane }) => planes?.includes(plane) ?? true);
  const found = wanted.map((plane) => ({ ...plane, tensor: findPlane(source, file, plane) }));
  const t = emptyPacked(layout, rows, stored.columns);
  for (const { plane, tensor } of found) {
    const whole = plane === "codebook" || stored.rows === 0;
    const rowBytes = whole ? 0 : tensor.byteLength / stored.rows;
    const bytes = whole
      ? await source.read(tensor.offset, tensor.byteLength)
      : await source.read(tensor.offset + firstRow * rowBytes, rows * rowBytes);
    planeBytes(t[plane]).set(bytes);
  }
  return t;
}

/** One of the planes of a packed tensor. */
export type PlaneName = "codes" | "scales" | "codebook";

/** A plane of a packed tensor, as stored in a file. */
export interface StoredPlane {
  /** The plane. */
  readonly plane: PlaneName;
  /** Name in the file. */
  readonly name: string;
  /** Element type in the file. */
  readonly dtype: SafetensorsDtype;
  /** Shape in the file. */
  readonly shape: number[];
}

/** The plane that changes when a part of a tensor is trained. Minima are in the plane of scales; dense tensors have only their elements. */
export function trainedPlane(
  name: string,
  layout: Layout,
  rows: number,
  columns: number,
  part: TrainedPart = "scales",
): StoredPlane {
  const wanted = part === "codebook" ? "codebook" : rulesOf(layout).scalesPlane;
  return storedPlanes(name, layout, rows, columns).find(({ plane }) => plane === wanted)!;
}

/** The planes that a packed tensor of the given shape is stored as. A dense tensor has one. */
export function storedPlanes(
  name: string,
  layout: Layout,
  rows: number,
  columns: number,
): StoredPlane[] {
  return rulesOf(layout).planeShapes(layout, rows, columns).map(({ suffix, ...plane }) => ({
    ...plane,
    name: suffix === undefined ? name : `${name}.${suffix}`,
  }));
}

function findPlane(
  source: ByteSource,
  file: SafetensorsFile,
  { name, dtype, shape, plane }: StoredPlane,
): SafetensorsTensor {
  const tensor = file.tensors.get(name);
  if (tensor === undefined) {
    throw new RangeError(`Cannot find tensor "${name}" in "${source.name}"`);
  }
  const elements = shape.reduce((product, dimension) => product * dimension, 1);
  const stored = tensor.shape.reduce((product, dimension) => product * dimension, 1);
  // Dense vectors are stored with one dimension.
  const fits = plane === "codes" && dtype !== "U32"
    ? stored === elements
    : tensor.shape.join() === shape.join();
  if (tensor.dtype !== dtype || !fits) {
    throw new TypeError(
      `Cannot load tensor "${name}" of "${source.name}": ${tensor.dtype} of shape [${tensor.shape}], ` +
        `expected ${dtype} of [${shape}]`,
    );
  }
  return tensor;
}
