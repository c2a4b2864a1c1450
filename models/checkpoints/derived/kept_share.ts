/**
 * How much of what was trained a file holds: the share of the change of the weights that rounding to what is stored leaves.
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

/** Squares of changes of weights, summed. */
export interface KeptChange {
  /** Of what training wanted: tuned weights less those of the base. */
  readonly wanted: number;
  /** Of what rounding lost: weights of the file less tuned ones. */
  readonly lost: number;
}

/** The share of a change that is kept: 1 is all, 0 as much as the base has; 1 where nothing was to change. */
export function shareOf({ wanted, lost }: KeptChange): number {
  return wanted === 0 ? 1 : 1 - lost / wanted;
}

/**
 * What folding offsets into rows of a packed tensor keeps of the change that they are.
 *
 * @param parts Offsets of its parts, those of minima that move with their scales included, in the order in which they are folded.
 * @param place As `foldScales` takes it.
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
 * What a file keeps of a fine-tune's change, by format, and of all: measured on up to 32 rows of each trained tensor, spread over it (all of a
 * tensor that is read as a whole). Formats whose tensors did not change are left out.
 */
export async function keptShare(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
  { rows: most = 32, signal }: {
    /** Rows of a tensor to measure. */
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
      // Of a tensor of many rows each stands for several.
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
