/**
 * A tuned model as a file: the base with the trained values of a ledger folded in.
 *
 * @module
 */

import { writeAdapter } from "../models/adapter.ts";
import { writeFileWhole } from "../models/file_source.ts";
import { withMovedMinima } from "../models/moved_minima.ts";
import type { ModelSource } from "../models/source.ts";
import { foldedSource } from "../models/source_folded.ts";
import type { FoldCounts, TrainedTensor } from "../models/stored_values.ts";
import { writeModel, type WriteOptions } from "../models/write_model.ts";
import { type LedgerTrainable, trainedOffset } from "../optim/mod.ts";
import { foldPatch } from "../quant/fold_patch.ts";
import { mergeGguf, splitPaths } from "../quant/gguf_split.ts";
import { patchGguf, type RowPatch } from "../quant/gguf_write.ts";
import { partOf } from "../quant/trained_part.ts";

/** Pairs a manifest with its offsets. */
export function trainedTensors(
  trainables: readonly LedgerTrainable[],
  offsets: ReadonlyMap<string, Float32Array>,
): Map<string, TrainedTensor> {
  return new Map(trainables.map(({ name, form, span }) => {
    const values = offsets.get(name);
    if (!values) throw new RangeError(`Cannot fold: there are no offsets of "${name}"`);
    return [name, { form, span, offsets: values.map(trainedOffset) }];
  }));
}

/**
 * Writes the tuned model to `path`. From a GGUF file to a `.gguf` path, or from a Hugging Face folder to a folder, every byte but
 * those of trained scales (by relative offsets minima with them) stays as it was. A split GGUF model becomes one file, or again as many where `path` is named like
 * them (`NAME-00001-of-0000N.gguf`). A `.safetensors` path gets an adapter: the tuned scales alone. Otherwise the model is
 * written anew.
 *
 * @returns How many stored values changed, and how many offsets rounding swallowed
 * @throws {RangeError} When offsets do not fit the model, or its formats do not fit the path
 */
export async function exportTuned(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
  path: string,
  options: WriteOptions = {},
): Promise<FoldCounts> {
  if (path.endsWith(".safetensors")) return await writeAdapter(source, trained, path, options);
  const parts = source.gguf ? [source.gguf] : source.split;
  if (!parts || !path.endsWith(".gguf")) {
    const folded = foldedSource(source, trained);
    await writeModel(folded, path, options);
    return folded.counts;
  }
  const folds = [...withMovedMinima(source, trained)].map(([name, { offsets, form, span }]) => {
    const { tensor, part } = partOf(name);
    const { file } = parts.find(({ file }) => file.tensors.some((t) => t.name === tensor)) ??
      parts[0];
    const fold = foldPatch(file.tensorByName(tensor), offsets, form, span, part);
    return { tensor, ...fold };
  });
  const patches = new Map<string, RowPatch>();
  for (const [tensor, own] of Map.groupBy(folds, ({ tensor }) => tensor)) {
    patches.set(tensor, (bytes, firstRow) => own.forEach(({ patch }) => patch(bytes, firstRow)));
  }
  const paths = parts.length === 1 ? [path] : splitPaths(path);
  if (paths && paths.length !== parts.length) {
    throw new RangeError(
      `Cannot write "${path}": it is one of ${paths.length} files, the model has ${parts.length}`,
    );
  }
  if (paths) {
    for (const [i, { source: bytes, file }] of parts.entries()) {
      const own = new Map(
        [...patches].filter(([name]) => file.tensors.some((t) => t.name === name)),
      );
      await writeFileWhole(paths[i], patchGguf(bytes, file, own));
    }
  } else await writeFileWhole(path, mergeGguf(parts, patches));
  return folds.reduce(
    (sum, { counts }) => ({
      swallowed: sum.swallowed + counts.swallowed,
      changed: sum.changed + counts.changed,
    }),
    { swallowed: 0, changed: 0 },
  );
}
