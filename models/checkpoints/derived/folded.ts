/**
 * A model with trained offsets folded into its stored scales, tensor by tensor as it is read.
 *
 * @module
 */

import {
  addTally,
  assertWithin,
  type Beyond,
  foldScales,
  offsetFold,
} from "../../../quant/fold/fold_offsets.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import type { PackedTensor } from "../../../quant/layouts/layout.ts";
import { partOf } from "../../../quant/layouts/trained_part.ts";
import { quantize } from "../../../quant/quantisers/round_to_nearest.ts";
import { withMovedMinima } from "./moved_minima.ts";
import type { ModelSource, TensorSource } from "../checkpoint.ts";
import {
  type FoldCounts,
  foldStored,
  type StoredFold,
  type TrainedTensor,
} from "../stored_values.ts";

/**
 * The same model with offsets folded in. Relative offsets of scales also apply to minima that have no offsets of their own. `counts` grows while
 * tensors are read, or while changes are written back to copies of their files.
 *
 * @throws {RangeError} when the model has no tensor of a given name.
 */
export function foldedSource(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
  { beyond = "keep" }: {
    /** What to do with values outside the range of their type. */ readonly beyond?: Beyond;
  } = {},
): ModelSource & { readonly counts: FoldCounts } {
  const counts: FoldCounts = { swallowed: 0, changed: 0 };
  const tensors = new Map<string, TensorSource>(source.tensors);
  const storedFolds = new Map<string, readonly StoredFold[]>();
  let folder = source.folder;
  for (const [name, values] of withMovedMinima(source, trained)) {
    const { form, span, offsets } = values;
    const { tensor: owner, part } = partOf(name);
    const base = source.tensors.get(owner);
    if (!base) {
      throw new RangeError(`Cannot fold offsets of "${name}": the model has no such tensor`);
    }
    // Another part of the tensor may have been folded already.
    const tensor = tensors.get(owner)!;
    const { rows, columns, format } = tensor;
    const stored = tensor.stored?.[part];
    // The files do not contain offsets that were folded earlier.
    if (!stored || base.patches) folder = undefined;
    const folds = [
      ...storedFolds.get(owner) ?? [],
      ...stored ? [{ part, stored, trained: values }] : [],
    ];
    storedFolds.set(owner, folds);
    tensors.set(owner, {
      ...tensor,
      patches: () =>
        foldStored({ name: owner, layout: format.layout, rows, columns }, folds, counts, beyond),
      read: async (firstRow, rows) => {
        const packed = await tensor.read(firstRow, rows);
        if (stored?.derived) {
          return derivedFold(packed, { part, stored, trained: values }, { owner, counts, beyond });
        }
        const result = foldScales(packed, offsets, form, span, {
          firstRow,
          totalRows: tensor.rows,
          part,
          beyond: beyond === "refuse" ? "keep" : beyond,
        });
        assertWithin(`"${name}"`, result, beyond);
        // Every piece of rows comes with the whole codebook.
        if (part !== "codebook" || firstRow === 0) {
          addTally(counts, result);
        }
        return result.tensor;
      },
    });
  }
  return { ...source, tensors, folder, gguf: undefined, split: undefined, counts };
}

/** Folds offsets into elements that are computed from stored values. The result is computed from the values that will be stored. */
function derivedFold(
  tensor: PackedTensor,
  { stored, trained: { form, offsets } }: StoredFold,
  { owner, counts, beyond }: {
    readonly owner: string;
    readonly counts: FoldCounts;
    readonly beyond: Beyond;
  },
): PackedTensor {
  const codec = stored.codec(0);
  const fold = offsetFold(form, codec, beyond === "refuse" ? "keep" : beyond);
  const values = decode(tensor)
    .map((value, i) => codec.toNumber(fold.apply(codec.toBits(value), offsets[i])));
  assertWithin(`"${owner}"`, fold.counts, beyond);
  addTally(counts, fold.counts);
  return quantize(values, tensor.rows, tensor.columns, "F32");
}
