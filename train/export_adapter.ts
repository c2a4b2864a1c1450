/**
 * A trained adapter as a file of its own.
 *
 * @module
 */

import type { OffsetSet } from "../kernels/mod.ts";
import { writePeft } from "../models/checkpoints/adapters/write_peft.ts";
import { targetKind } from "../models/checkpoints/disk/target_kind.ts";
import type { Model } from "../models/inference/model.ts";
import type { ExportReport } from "./export.ts";

/**
 * Refuses a path that no adapter is written to: to be asked before the first step.
 *
 * @throws {RangeError} For what is no folder
 */
export function assertAdapterPath(path: string): void {
  if (targetKind(path) === "folder") return;
  throw new RangeError(
    `Cannot write an adapter to "${path}": give a folder, into which adapter_config.json and adapter_model.safetensors go`,
  );
}

/**
 * Writes the adapter beside a model, with what training added, as a folder that PEFT reads: `adapter_config.json` and
 * `adapter_model.safetensors`.
 *
 * @param offsets What was trained; undefined: the adapter as it stands beside the model
 * @throws {TypeError} When the model has no adapter
 * @throws {RangeError} For a path that is no folder, and when something of the base was trained as well, which no adapter's file holds
 *
 * @example Of the bundled model, not trained
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, loraAdapter, openModelSource } from "@qzo/qzo/models";
 * import { exportAdapter } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using base = await loadModel(gpu, source);
 * using model = base.withAdapter(loraAdapter(base));
 * const folder = await Deno.makeTempDir();
 * await exportAdapter(model, undefined, `${folder}/adapter`);
 * assertEquals((await Deno.stat(`${folder}/adapter/adapter_config.json`)).isFile, true);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function exportAdapter(
  model: Model,
  offsets: OffsetSet | undefined,
  path: string,
  { baseName = "" }: { readonly baseName?: string } = {},
): Promise<ExportReport> {
  assertAdapterPath(path);
  if (!model.adapter) throw new TypeError("Cannot export an adapter: the model has none");
  const { adapter, tensors } = model.adapter;
  const foreign = offsets?.trainables.find(({ name }) => !tensors.has(name));
  if (foreign) {
    throw new RangeError(
      `Cannot export an adapter: "${foreign.name}" of the base was trained with it, which no adapter's file holds; the ledger has both`,
    );
  }
  const moved = await offsets?.read(model.gpu);
  const { config, fingerprint: base } = model;
  await writePeft(path, { config, adapter, base, baseName, ...moved ? { offsets: moved } : {} });
  const changed = [...moved?.values() ?? []].reduce(
    (sum, values) => sum + values.reduce((count, value) => count + Number(value !== 0), 0),
    0,
  );
  return { changed, swallowed: 0, kept: 1, keptByFormat: new Map(), notes: [] };
}
