/**
 * Measures how much of a fine-tune a file keeps: the share of the change in the weights that survives rounding to the stored precision.
 *
 * @module
 */

import { decodeRow } from "../../../quant/layouts/decode.ts";
import { type FoldOptions, foldScales } from "../../../quant/fold/fold_offsets.ts";
import type { PackedTensor } from "../../../quant/layouts/layout.ts";
import { partOf, type TrainedPart } from "../../../quant/layouts/trained_part.ts";
import { type PartOffsets, tunedRows } from "../../../quant/fold/tuned_rows.ts";
import { withMovedMinima } from "./moved_minima.ts";
import type { ModelSource } from "../checkpoint.ts";
import type { TrainedTensor } from "../stored_values.ts";

/** Sums of squared changes of weights. */
export interface KeptChange {
  /** Change by training: tuned weights minus weights of the base. */
  readonly wanted: number;
  /** Loss by rounding: weights in the file minus tuned weights. */
  readonly lost: number;
}

/** The share of a change that is kept: 1 if nothing is lost or there was no change, 0 if the error is as large as for the unchanged base. */
export function shareOf({ wanted, lost }: KeptChange): number {
  return wanted === 0 ? 1 : 1 - lost / wanted;
}

/**
 * What remains of the change by some offsets when they are folded into rows of a packed tensor.
 *
 * @param parts Offsets of the tensor's parts in the order in which they are folded, including those of minima that move with their scales.
 * @param place As for `foldScales`.
 */
export function keptOfRows(
  packed: PackedTensor,
  parts: ReadonlyMap<TrainedPart, PartOffsets>,
  place: Pick<FoldOptions, "firstRow" | "totalRows"> = {},
): KeptChange {
  let folded = packed;
  for (const [part, { offsets, form, span }] of parts) {
    folded = foldScales(folded, offsets, form, span, { ...place, part }).tensor;
  }
  const tuned = tunedRows(packed, parts, place);
  let [wanted, lost] = [0, 0];
  for (let row = 0; row < packed.rows; row++) {
    const [base, after] = [decodeRow(packed, row), decodeRow(folded, row)];
    tuned(row).forEach((value, k) => {
      wanted += (value - base[k]) ** 2;
      lost += (after[k] - value) ** 2;
    });
  }
  return { wanted, lost };
}

/**
 * The share of a fine-tune's change that a file keeps, by format and overall. It is measured on up to 32 evenly spaced rows of each trained tensor,
 * or on the whole tensor if it cannot be read by rows. Formats whose tensors did not change are omitted.
 */
export async function keptShare(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
  { rows: most = 32, signal }: {
    /** Maximum number of rows to measure per tensor. Default 32. */
    readonly rows?: number;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<{ readonly share: number; readonly formats: ReadonlyMap<string, number> }> {
  const tensors = Map.groupBy(withMovedMinima(source, trained), ([name]) => partOf(name).tensor);
  const sums = new Map<string, { wanted: number; lost: number }>();
  for (const [name, own] of tensors) {
    signal?.throwIfAborted();
    const tensor = source.tensors.get(name);
    if (!tensor) throw new RangeError(`Cannot measure "${name}": the model has no such tensor`);
    const parts = new Map(own.map(([part, values]) => [partOf(part).part, values]));
    const sum = sums.get(tensor.format.name) ?? { wanted: 0, lost: 0 };
    sums.set(tensor.format.name, sum);
    const pieces = tensor.whole ? 1 : Math.min(tensor.rows, most);
    for (let i = 0; i < pieces; i++) {
      const firstRow = tensor.whole ? 0 : Math.floor(i * tensor.rows / pieces);
      const packed = await tensor.read(firstRow, tensor.whole ? tensor.rows : 1);
      const { wanted, lost } = keptOfRows(packed, parts, { firstRow, totalRows: tensor.rows });
      // In a tensor with many rows, each measured row stands for several.
      const weight = tensor.rows / (pieces * packed.rows);
      sum.wanted += weight * wanted;
      sum.lost += weight * lost;
    }
  }
  const all = [...sums.values()].reduce(
    (a, b) => ({ wanted: a.wanted + b.wanted, lost: a.lost + b.lost }),
    { wanted: 0, lost: 0 },
  );
  const changed = [...sums].filter(([, { wanted }]) => wanted > 0);
  return {
    share: shareOf(all),
    formats: new Map(changed.map(([format, sum]) => [format, shareOf(sum)])),
  };
}
