/**
 * A model with trained offsets folded into its stored scales, tensor by tensor as it is read.
 *
 * @module
 */

import type { OffsetForm } from "../optim/offset.ts";
import { foldScales } from "../quant/offsets.ts";
import type { ModelSource, TensorSource } from "./source.ts";

/** What was trained of one tensor. */
export interface TrainedTensor {
  /** How an offset changes its base. */
  readonly form: OffsetForm;
  /** Columns that share an offset; 1 for dense tensors. */
  readonly span: number;
  /** All offsets of the tensor. */
  readonly offsets: Float32Array;
}

/** What rounding to the stored precision did, summed over what has been read so far. */
export interface FoldCounts {
  /** Values whose offset is not zero but whose stored bits stayed the same. */
  swallowed: number;
  /** Values whose stored bits changed. */
  changed: number;
}

/**
 * The same model with offsets folded in. `counts` grows as tensors are read.
 *
 * @throws {RangeError} When the model has no tensor of a name
 */
export function foldedSource(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
): ModelSource & { readonly counts: FoldCounts } {
  const counts: FoldCounts = { swallowed: 0, changed: 0 };
  const tensors = new Map<string, TensorSource>(source.tensors);
  for (const [name, { form, span, offsets }] of trained) {
    const tensor = source.tensors.get(name);
    if (!tensor) {
      throw new RangeError(`Cannot fold offsets of "${name}": the model has no such tensor`);
    }
    tensors.set(name, {
      ...tensor,
      read: async (firstRow, rows) => {
        const packed = await tensor.read(firstRow, rows);
        const result = foldScales(packed, offsets, form, span, {
          firstRow,
          totalRows: tensor.rows,
        });
        counts.swallowed += result.swallowed;
        counts.changed += result.changed;
        return result.tensor;
      },
    });
  }
  return { ...source, tensors, gguf: undefined, counts };
}
