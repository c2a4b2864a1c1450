/**
 * The tuned model of a run as a file, where the base may have been quantised while it was loaded.
 *
 * @module
 */
import { join } from "@std/path";
import type { OffsetSet } from "../../kernels/mod.ts";
import type { ModelSource } from "../../models/checkpoints/checkpoint.ts";
import type { FoldWriteOptions } from "../../models/checkpoints/write_checkpoint.ts";
import { type ExportReport, exportTuned, trainedTensors } from "../export.ts";
import { exportAdapter } from "../export_adapter.ts";
import type { RunSession } from "./session.ts";

/**
 * Writes what `offsets` make of a session's model; of one with an adapter the adapter (see {@linkcode exportAdapter}). GGUF for a `.gguf` path, else a folder. A model that was loaded as it is
 * stored keeps every byte but those of trained scales; one that was quantised on loading keeps its metadata.
 *
 * @throws {RangeError} When nothing would change, the formats do not fit the path, or tuned numbers not their stored type (see `beyond`)
 */
export async function exportOffsets(
  { gpu, source, model }: Pick<RunSession, "gpu" | "source" | "model">,
  offsets: OffsetSet,
  path: string,
  options: FoldWriteOptions = {},
): Promise<ExportReport> {
  if (model.adapter) return await exportAdapter(model, offsets, path, { baseName: source.name });
  const trained = trainedTensors(offsets.trainables, await offsets.read(gpu));
  return await exportTuned(source, trained, path, { unchanged: "refuse", ...options });
}

/**
 * Where a run's tuned model goes: a folder that is trained as it is stored becomes one again; else one GGUF file if all formats have
 * a form there.
 */
export function tunedPath(
  folder: string,
  { source, adapted = false }: {
    readonly source: Pick<ModelSource, "folder" | "tensors">;
    /** Whether it is an adapter. Default false. */
    readonly adapted?: boolean;
  },
): string {
  if (adapted) return join(folder, "adapter");
  const gguf = !source.folder && [...source.tensors.values()].every(({ format }) => format.gguf);
  return join(folder, gguf ? "tuned.gguf" : "tuned");
}
