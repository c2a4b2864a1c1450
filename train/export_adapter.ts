/**
 * A trained adapter as a file of its own.
 *
 * @module
 */

import type { OffsetSet } from "../kernels/mod.ts";
import {
  assertGgufAdapter,
  writeGgufAdapter,
} from "../models/checkpoints/adapters/write_gguf_adapter.ts";
import { writePeft } from "../models/checkpoints/adapters/write_peft.ts";
import { peftPromptNotes } from "../models/checkpoints/adapters/peft_prompt.ts";
import { targetKind } from "../models/checkpoints/disk/target_kind.ts";
import type { Adapter } from "../models/adapters/scheme.ts";
import type { Model } from "../models/inference/model.ts";
import type { ModelConfig } from "../models/model_config.ts";
import type { ExportReport } from "./export.ts";

/**
 * Refuses a path that an adapter is not written to: to be asked before the first step.
 *
 * @throws {RangeError} For what is neither a folder nor a GGUF file, and for a GGUF file that has no form for the adapter
 */
export function assertAdapterPath(
  path: string,
  adapted: { readonly config: ModelConfig; readonly adapter: Adapter },
): void {
  const kind = targetKind(path);
  if (kind === "gguf") return assertGgufAdapter(adapted);
  if (kind === "folder") return;
  throw new RangeError(
    `Cannot write an adapter to "${path}": give a folder (for adapter_config.json and adapter_model.safetensors), or a .gguf file for llama.cpp`,
  );
}

/**
 * Writes the adapter beside a model, with what training added, as a folder that PEFT reads: `adapter_config.json` and
 * `adapter_model.safetensors`; for a path that ends in `.gguf`, as the file that llama.cpp loads beside a model.
 *
 * @param offsets What was trained; undefined: the adapter as it stands beside the model
 * @throws {TypeError} When the model has no adapter
 * @throws {RangeError} For a path that an adapter is not written to, and when something of the base was trained as well, which no adapter's file holds
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
  if (!model.adapter) throw new TypeError("Cannot export an adapter: the model has none");
  const { adapter, tensors } = model.adapter;
  assertAdapterPath(path, { config: model.config, adapter });
  const foreign = offsets?.trainables.find(({ name }) => !tensors.has(name));
  if (foreign) {
    throw new RangeError(
      `Cannot export an adapter: "${foreign.name}" of the base was trained together with it, which no adapter file can contain; the ledger has both`,
    );
  }
  const moved = await offsets?.read(model.gpu);
  const { config, fingerprint: base } = model;
  const write = targetKind(path) === "gguf" ? writeGgufAdapter : writePeft;
  await write(path, { config, adapter, base, baseName, ...moved ? { offsets: moved } : {} });
  const changed = [...moved?.values() ?? []].reduce(
    (sum, values) => sum + values.reduce((count, value) => count + Number(value !== 0), 0),
    0,
  );
  return {
    changed,
    swallowed: 0,
    kept: 1,
    keptByFormat: new Map(),
    notes: peftPromptNotes(adapter),
  };
}
