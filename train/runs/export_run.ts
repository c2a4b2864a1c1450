/**
 * Exports the tuned model of a run, whose base model may have been quantised while it was loaded.
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
 * Writes a session's model with `offsets` applied; if the model has an adapter, writes the adapter (see {@linkcode exportAdapter}). A `.gguf`
 * path gets a GGUF file, any other a folder. For a model that was loaded as stored, only the bytes of trained scales change; one that was
 * quantised while loading keeps its metadata.
 *
 * @throws {RangeError} when nothing would change, `path` cannot hold the formats, or tuned numbers are outside the range of their stored type
 * (see `beyond`).
 *
 * @example The scales of one layer, moved by hand
 * ```ts
 * import { exportOffsets, openRunSession, parseTrainConfig, planOffsets } from "@qzo/qzo/train";
 *
 * const yaml = "model: demo/model.gguf\ntask: sst2\nquantize: {format: Q4_0}";
 * using session = await openRunSession(parseTrainConfig(yaml, "a.yaml"));
 * const { gpu, model } = session;
 * using offsets = planOffsets(model, "relative", gpu.maxBinding, { layers: [2, 2] }).allocate(gpu);
 * const values = await offsets.read();
 * offsets.write(gpu, new Map([...values].map(([name, zeros]) => [name, zeros.fill(0.1)])));
 * const path = await Deno.makeTempFile({ suffix: ".gguf" });
 * await exportOffsets(session, offsets, path);
 * await Deno.remove(path);
 * ```
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
 * The default path of a run's tuned model. A folder that is trained as stored becomes a folder again. Any other model becomes one GGUF file if
 * GGUF has all its formats.
 */
export function tunedPath(
  folder: string,
  { source, adapted = false }: {
    readonly source: Pick<ModelSource, "folder" | "tensors">;
    /** Whether the model has an adapter. Default false. */
    readonly adapted?: boolean;
  },
): string {
  if (adapted) return join(folder, "adapter");
  const gguf = !source.folder && [...source.tensors.values()].every(({ format }) => format.gguf);
  return join(folder, gguf ? "tuned.gguf" : "tuned");
}
