/**
 * Writes a tuned model: the base model with the trained values of a ledger folded in.
 *
 * @module
 */

import { OffsetSet } from "../kernels/offsets/offset_set.ts";
import { foldWriteRules } from "../models/checkpoints/write_options.ts";
import { assertOptions } from "../optim/options.ts";
import { checkModelOutput } from "./runs/outputs.ts";
import { writeAdapter } from "../models/checkpoints/derived/tuned_values.ts";
import { writeFileWhole } from "../models/checkpoints/disk/files.ts";
import { withMovedMinima } from "../models/checkpoints/derived/moved_minima.ts";
import { type ModelSource, piecesOf } from "../models/checkpoints/checkpoint.ts";
import { foldedSource } from "../models/checkpoints/derived/folded.ts";
import type { FoldCounts, TrainedTensor } from "../models/checkpoints/stored_values.ts";
import { targetKind } from "../models/checkpoints/disk/target_kind.ts";
import { keptShare } from "../models/checkpoints/derived/kept_share.ts";
import {
  assertWritable,
  type FoldWriteOptions,
  writeModel,
} from "../models/checkpoints/write_checkpoint.ts";
import { writeFilesTogether } from "../models/checkpoints/disk/write_together.ts";
import type { Trainable } from "../optim/mod.ts";
import { foldPatch } from "../quant/files/fold_patch.ts";
import { addTally, type Beyond } from "../quant/fold/fold_offsets.ts";
import { assertOneFile, type GgufPart, mergeGguf, splitPaths } from "../quant/files/gguf_split.ts";
import { patchGguf, type RowPatch } from "../quant/files/gguf_write.ts";
import { partOf } from "../quant/layouts/trained_part.ts";
import { trainedOffset } from "../optim/preparations/frozen.ts";

/**
 * Pairs the trainables of a manifest with their offsets.
 *
 * @example Offsets as they were read from the device
 * ```ts
 * import { loadModel, openGpu, openModelSource, planOffsets, quantizedSource, trainedTensors } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * using offsets = planOffsets(model, "relative", gpu.maxBinding).allocate(gpu);
 * const trained = trainedTensors(offsets.trainables, await offsets.read());
 * assertEquals(trained.get("blk.0.attn_q.weight")?.span, 32);
 * ```
 */
export function trainedTensors(
  trainables: readonly Trainable[],
  offsets: ReadonlyMap<string, Float32Array>,
): Map<string, TrainedTensor> {
  return new Map(trainables.map(({ name, form, span }) => {
    const values = offsets.get(name);
    if (!values) throw new RangeError(`Cannot fold: there are no offsets of "${name}"`);
    return [name, { form, span, offsets: values.map(trainedOffset) }];
  }));
}

/** Rejects offsets that are all 0 or would all be lost to rounding, because the file would be identical to the base model. */
async function assertChanges(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
  share: number,
  beyond: Beyond,
): Promise<void> {
  if ([...trained.values()].every(({ offsets }) => offsets.every((offset) => offset === 0))) {
    throw new RangeError(
      `Cannot export "${source.name}": all offsets are 0, so nothing would change. Use a later step, or train further`,
    );
  }
  if (share !== 0) return;
  // The share was measured on some rows; whether any value changes is checked on all.
  const { tensors, counts } = foldedSource(source, trained, { beyond });
  for (const name of new Set([...trained.keys()].map((it) => partOf(it).tensor))) {
    for await (const _ of piecesOf([tensors.get(name)!])) {
      if (counts.changed > 0 || (counts.exceeded ?? 0) > 0) return;
    }
  }
  if (counts.changed > 0 || (counts.exceeded ?? 0) > 0) return;
  throw new RangeError(
    `Cannot export "${source.name}": nothing would change, because its formats store scales too coarsely for what was trained. Only the ledger has it; train longer, use a higher learning rate, or use another format`,
  );
}

/** The result of writing a tuned model. */
export interface ExportReport extends FoldCounts {
  /** Information for the user about how it was written, one sentence each. */
  readonly notes: readonly string[];
  /** Fraction of the trained change of the weights that the file contains, from 0 to 1; computed by `keptShare`. */
  readonly kept: number;
  /** The same fraction for each trained format. */
  readonly keptByFormat: ReadonlyMap<string, number>;
}

/**
 * Writes the tuned model to `path`.
 *
 * From a GGUF file to a `.gguf` path, or from a Hugging Face folder to a folder, only the bytes of trained scales change (and of minima, with
 * relative offsets). A split GGUF model becomes one file, or the same number of files if `path` has the form `NAME-00001-of-0000N.gguf`. A
 * `.safetensors` path gets only the tuned scales. In all other cases the whole model is written anew.
 *
 * @param tuned The offsets of a fine-tune, or the result of {@linkcode trainedTensors} for a manifest and its values.
 * @returns The number of stored values that changed and of offsets lost to rounding, and notes.
 * @throws {RangeError} when offsets do not fit the model, `path` cannot hold the model's formats, or tuned numbers are outside the range of
 * their stored type (see `beyond`).
 *
 * @example The scales of one layer, moved by hand
 * ```ts
 * import { exportTuned, loadModel, openGpu, openModelSource, planOffsets, quantizedSource } from "@qzo/qzo";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * using offsets = planOffsets(model, "relative", gpu.maxBinding, { layers: [2, 2] }).allocate(gpu);
 * const values = await offsets.read();
 * offsets.write(gpu, new Map([...values].map(([name, zeros]) => [name, zeros.fill(0.1)])));
 * const path = await Deno.makeTempFile({ suffix: ".gguf" });
 * const { changed, kept } = await exportTuned(source, offsets, path);
 * assert(changed > 0 && kept > 0.9);
 * await Deno.remove(path);
 * ```
 */
export async function exportTuned(
  source: ModelSource,
  tuned: ReadonlyMap<string, TrainedTensor> | OffsetSet,
  path: string,
  options: FoldWriteOptions = {},
): Promise<ExportReport> {
  assertOptions("export a model", options, foldWriteRules);
  const trained = tuned instanceof OffsetSet
    ? trainedTensors(tuned.trainables, await tuned.read())
    : tuned;
  await assertExportable(source, path);
  const foreign = [...trained.keys()].find((name) => !source.tensors.has(partOf(name).tensor));
  if (foreign !== undefined) {
    throw new RangeError(
      `Cannot export "${source.name}": it has no tensor "${
        partOf(foreign).tensor
      }" to fold what was trained into, so only the ledger has it`,
    );
  }
  const { beyond = "refuse" } = options;
  const { share, formats } = await keptShare(source, trained, options);
  if (options.unchanged === "refuse") await assertChanges(source, trained, share, beyond);
  const kept = { kept: share, keptByFormat: formats };
  if (targetKind(path) === "safetensors") {
    return { ...await writeAdapter(source, trained, path, options), notes: [], ...kept };
  }
  const parts = partsOf(source, path);
  if (!parts) {
    const folded = foldedSource(source, trained, { beyond });
    const { notes = [] } = await writeModel(folded, path, options);
    return { ...folded.counts, notes, ...kept };
  }
  const folds = [...withMovedMinima(source, trained)].map(([name, { offsets, form, span }]) => {
    const { tensor, part } = partOf(name);
    const { file } = parts.find(({ file }) => file.tensors.some((t) => t.name === tensor)) ??
      parts[0];
    const fold = foldPatch(file.tensorByName(tensor), offsets, form, span, part, beyond);
    return { tensor, ...fold };
  });
  const patches = new Map<string, RowPatch>();
  for (const [tensor, own] of Map.groupBy(folds, ({ tensor }) => tensor)) {
    patches.set(tensor, (bytes, firstRow) => own.forEach(({ patch }) => patch(bytes, firstRow)));
  }
  const paths = pathsOf(parts, path);
  if (paths) {
    await writeFilesTogether(parts.map(({ source: bytes, file }, i) => {
      const own = new Map(
        [...patches].filter(([name]) => file.tensors.some((t) => t.name === name)),
      );
      return { path: paths[i], chunks: patchGguf(bytes, file, own) };
    }));
  } else await writeFileWhole(path, mergeGguf(parts, patches));
  const counts: FoldCounts = { swallowed: 0, changed: 0 };
  for (const fold of folds) addTally(counts, fold.counts);
  return { ...counts, notes: [], ...kept };
}

/**
 * Checks everything about an export that is known before training. Call it before the first step.
 *
 * @throws {RangeError | TypeError} as `assertWritable`, for a split model under a path with another number of files, and when a file of the
 * model itself would be overwritten.
 *
 * @example A file of the model itself
 * ```ts
 * import { openModelSource } from "@qzo/qzo/models";
 * import { assertExportable } from "@qzo/qzo/train";
 * import { assertRejects } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * await assertRejects(() => assertExportable(source, "demo/model.gguf"), RangeError, "input");
 * ```
 */
export async function assertExportable(source: ModelSource, path: string): Promise<void> {
  if (targetKind(path) !== "folder") {
    const read = source.gguf ? [source.gguf] : source.split ?? [];
    // The caller decides about replacing existing files; files that are read are never replaced.
    await checkModelOutput(path, { inputs: read.map(({ source }) => source.name), force: true });
  }
  if (targetKind(path) === "safetensors") return;
  const parts = partsOf(source, path);
  if (parts) pathsOf(parts, path);
  else await assertWritable(source, path);
}

/** The GGUF files to copy, in which only trained values change. */
function partsOf(source: ModelSource, path: string): readonly GgufPart[] | undefined {
  if (targetKind(path) !== "gguf") return undefined;
  return source.gguf ? [source.gguf] : source.split;
}

/** The paths of the copies. Undefined if they become one file. */
function pathsOf(parts: readonly GgufPart[], path: string): string[] | undefined {
  if (parts.length === 1) {
    assertOneFile(path);
    return [path];
  }
  const paths = splitPaths(path);
  if (paths && paths.length !== parts.length) {
    throw new RangeError(
      `Cannot write "${path}": it is one of ${paths.length} files, but the model has ${parts.length}`,
    );
  }
  return paths;
}
