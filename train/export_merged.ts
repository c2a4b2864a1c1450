/**
 * Merges an adapter, and trained values of the base model, into one model.
 *
 * @module
 */

import type { OffsetSet } from "../kernels/mod.ts";
import type { ModelSource } from "../models/checkpoints/checkpoint.ts";
import { foldedSource } from "../models/checkpoints/derived/folded.ts";
import { replacedSource } from "../models/checkpoints/derived/replaced.ts";
import { mergedSource, type MergeOptions } from "../models/checkpoints/derived/merged.ts";
import { type FoldWriteOptions, writeModel } from "../models/checkpoints/write_checkpoint.ts";
import type { Model } from "../models/inference/model.ts";
import { type ExportReport, trainedTensors } from "./export.ts";

/** Options for writing a merged model. */
export interface MergedWriteOptions extends Omit<FoldWriteOptions, "unchanged"> {
  /** What to do with packed matrices; see {@linkcode MergeOptions}. */
  readonly packed?: MergeOptions["packed"];
}

/**
 * Writes `source` with the adapter of `model` merged into it, and with the trained offsets of the base's own tensors folded in.
 *
 * @param model The base model on a device, with the adapter.
 * @param offsets Trained offsets. Absent: the adapter as it is.
 * @returns The number of the base's own stored values that changed, and notes.
 * @throws {RangeError} as {@linkcode mergedSource}.
 * @throws {TypeError} when the model has no adapter.
 *
 * @example An untrained LoRA adapter
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, loraAdapter, openModelSource } from "@qzo/qzo/models";
 * import { exportMerged } from "@qzo/qzo/train";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using base = await loadModel(gpu, source);
 * using model = base.withAdapter(loraAdapter(base, { rank: 4 }));
 * const folder = await Deno.makeTempDir();
 * await exportMerged(source, model, undefined, { path: `${folder}/merged.gguf` });
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function exportMerged(
  source: ModelSource,
  model: Model,
  offsets: OffsetSet | undefined,
  { path, packed = "refuse", ...options }: MergedWriteOptions & {
    /** Path of a `.gguf` file or a folder. */
    readonly path: string;
  },
): Promise<ExportReport> {
  if (!model.adapter) throw new TypeError("Cannot merge an adapter: the model has none");
  const { adapter, tensors } = model.adapter;
  const values = await offsets?.read(model.gpu);
  const own = offsets?.trainables.filter(({ name }) => !tensors.has(name)) ?? [];
  const { beyond = "refuse" } = options;
  const whole = replacedSource(source, adapter);
  const folded = foldedSource(whole, trainedTensors(own, values ?? new Map()), { beyond });
  const merged = mergedSource(folded, { ...adapter, replaced: undefined }, {
    offsets: values,
    packed,
  });
  const { notes = [] } = await writeModel(merged, path, options);
  return { ...folded.counts, notes, kept: 1, keptByFormat: new Map() };
}
