/**
 * Folds trained offsets into a GGUF file while it is being copied.
 *
 * @module
 */

import type { Format } from "../formats/format.ts";
import { formatOfGgufTensor, type GgufTensor } from "./gguf.ts";
import type { RowPatch } from "./gguf_write.ts";
import {
  addTally,
  assertWithin,
  type Beyond,
  foldScales,
  type FoldTally,
  offsetCount,
  type OffsetForm,
} from "../fold/fold_offsets.ts";
import type { TrainedPart } from "../layouts/trained_part.ts";

/** A row patch for `patchGguf`, with counts of what rounding has done so far. */
export interface FoldPatch {
  /** Folds the offsets into the rows it is given. */
  readonly patch: RowPatch;
  /** Sums of the counts in `FoldResult`, over all pieces so far. */
  readonly counts: FoldTally;
}

/**
 * Makes a patch that folds a tensor's offsets into its bytes, whole rows at a time. Only the scales change, or the part
 * named by `part`; in dense tensors, the elements change.
 *
 * @param offsets Offsets of the whole tensor.
 * @param span Columns per offset; 0 means the whole row. Ignored for dense tensors.
 * @param beyond What to do with numbers outside the range of their type. Default `"keep"`: the base stays. `"refuse"`
 * throws when the last rows are patched.
 * @throws {RangeError} for a type that this library cannot read. The patch itself throws as `foldScales` does.
 * @throws {TypeError} when the number of offsets does not match the tensor.
 *
 * @example Double the scales of a file
 * ```ts
 * import { bytesSource, foldPatch, formatByName, patchGguf, quantize, readGguf, writeGguf } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = formatByName("Q4_0").pack(quantize(new Float32Array(64).fill(1), 2, 32, "Q4_0"));
 * const tensor = { name: "w", dimensions: [32, 2], type: 2, bytes };
 * const gather = async (chunks: AsyncIterable<Uint8Array>) => {
 *   const parts: Blob[] = [];
 *   for await (const chunk of chunks) parts.push(new Blob([chunk.slice()]));
 *   return bytesSource(new Uint8Array(await new Blob(parts).arrayBuffer()));
 * };
 * const source = await gather(writeGguf({ metadata: {}, tensors: [tensor] }));
 * const file = await readGguf(source);
 * const fold = foldPatch(file.tensorByName("w"), new Float32Array(4).fill(1), "relative", 32);
 * const tuned = await gather(patchGguf(source, file, new Map([["w", fold.patch]])));
 * assertEquals(tuned.size, source.size);
 * assertEquals(fold.counts, { changed: 2, swallowed: 0 });
 * ```
 */
export function foldPatch(
  tensor: GgufTensor,
  offsets: Float32Array,
  form: OffsetForm,
  span: number,
  part: TrainedPart = "scales",
  beyond: Beyond = "keep",
): FoldPatch {
  const format: Format = formatOfGgufTensor(tensor);
  const [columns, ...rest] = tensor.dimensions;
  const totalRows = rest.reduce((product, dimension) => product * dimension, 1);
  const count = offsetCount(format.layout, totalRows, columns, span, part);
  if (offsets.length !== count) {
    throw new TypeError(
      `Cannot fold ${offsets.length} offsets into tensor "${tensor.name}" of ${totalRows} x ${columns}: ` +
        `expected ${count}`,
    );
  }
  const counts: FoldTally = { swallowed: 0, changed: 0 };
  const patch: RowPatch = (bytes, firstRow) => {
    const rows = bytes.length / format.rowBytes(columns);
    const piece = format.unpack(bytes, rows, columns);
    // Numbers are counted over the whole tensor, so `"refuse"` applies only after the last rows.
    const kept = beyond === "refuse" ? "keep" : beyond;
    const folded = foldScales(piece, offsets, form, span, {
      ...{ firstRow, totalRows, part },
      beyond: kept,
    });
    addTally(counts, folded);
    if (firstRow + rows === totalRows) assertWithin(`"${tensor.name}" (${part})`, counts, beyond);
    bytes.set(format.pack(folded.tensor));
  };
  return { patch, counts };
}
