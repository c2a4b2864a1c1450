/**
 * A model with trained offsets folded into its stored scales, tensor by tensor as it is read.
 *
 * @module
 */

import { foldScales } from "../quant/offsets.ts";
import type { ModelSource, TensorSource } from "./source.ts";
import { type FoldCounts, foldStored, type TrainedTensor } from "./stored_values.ts";

/**
 * The same model with offsets folded in. `counts` grows as tensors are read, or as they are written back into the files they
 * came from.
 *
 * @throws {RangeError} When the model has no tensor of a name
 */
export function foldedSource(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
): ModelSource & { readonly counts: FoldCounts } {
  const counts: FoldCounts = { swallowed: 0, changed: 0 };
  const tensors = new Map<string, TensorSource>(source.tensors);
  let folder = source.folder;
  for (const [name, values] of trained) {
    const { form, span, offsets } = values;
    const tensor = source.tensors.get(name);
    if (!tensor) {
      throw new RangeError(`Cannot fold offsets of "${name}": the model has no such tensor`);
    }
    const { stored, rows, columns, format } = tensor;
    // What was folded before is not in the files.
    if (!stored || tensor.patches) folder = undefined;
    tensors.set(name, {
      ...tensor,
      patches: stored &&
        (() => foldStored({ name, layout: format.layout, rows, columns }, stored, values, counts)),
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
  return { ...source, tensors, folder, gguf: undefined, split: undefined, counts };
}
