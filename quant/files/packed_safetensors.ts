/**
 * Packed tensors in safetensors files: the planes under their own names.
 *
 * A tensor `NAME` of a quantised format is `NAME.codes` (U32, `[rows, words]`), `NAME.scales` (F16, `[rows, groups]`, or
 * `[rows, groups, 2]` with the zero point or minimum second) and for codebooks `NAME.codebook` (F16,
 * `[books, entries, vector]`); where every column has scales `NAME.scales` is `[classes, columns, 2]`; the scales of super-blocks are U32, `[rows, words]`. A dense tensor is `NAME` itself. Format and shape are not in the file: the folder's config.json
 * has them.
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

/** Which rows of a tensor. */
export interface RowRange {
  /** From 0. */
  readonly firstRow: number;
  /** How many. */
  readonly rows: number;
}

/** What to look for in the file. */
export interface StoredTensor {
  /** Without the suffix of a plane. */
  readonly name: string;
  /** As in the table of formats. */
  readonly format: string;
  /** Of the whole tensor. */
  readonly rows: number;
  /** Of the whole tensor. */
  readonly columns: number;
}

/** The one to three tensors to write for `t`. Throws as `checkPacked` does. */
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
 * Reads a packed tensor, or some of its rows (the codebook always whole). With `planes` only those are read, and the others are
 * zero.
 *
 * @throws {RangeError} for an unknown format, a tensor that is not in the file, or rows that are not in the tensor.
 * @throws {TypeError} when a stored plane has another dtype or shape than the format and shape ask for.
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

/** A plane of a packed tensor as a tensor of its own. */
export interface StoredPlane {
  /** Which. */
  readonly plane: PlaneName;
  /** In the file. */
  readonly name: string;
  /** In the file. */
  readonly dtype: SafetensorsDtype;
  /** In the file. */
  readonly shape: number[];
}

/** The plane that training a part of a tensor changes: minima lie beside scales, of a dense tensor its elements change. */
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

/** What a packed tensor of that shape is stored as; dense tensors as one. */
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
