/**
 * Writes a trained adapter as its own file or folder.
 *
 * @module
 */

import type { DeviceTensor, OffsetSet, Trainable } from "../kernels/mod.ts";
import { decode } from "../quant/layouts/decode.ts";
import { planeWords } from "../quant/layouts/layout.ts";
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
 * Rejects a path that an adapter cannot be written to. Call it before the first step.
 *
 * @throws {RangeError} for a path that is neither a folder nor a GGUF file, and for a GGUF file if GGUF cannot express the adapter.
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

/** Whether a tensor of the base model can be stored with an adapter: it must be dense, so that the file can contain all of it. */
function isWhole(tensor: DeviceTensor | undefined): boolean {
  return tensor?.layout.kind === "dense";
}

/** A dense tensor of a model with trained offsets applied, in f32. */
async function tunedValues(
  { gpu, tensors }: Model,
  { name, form }: Trainable,
  offsets: Float32Array,
): Promise<Float32Array<ArrayBuffer>> {
  const { layout, rows, columns, pieces } = tensors.get(name)!;
  const out = new Float32Array(rows * columns);
  for (const { rows: count, firstRow, codes } of pieces) {
    const words = planeWords(layout, count, columns).codes;
    const [bytes] = await gpu.read([{ buffer: codes.buffer, bytes: 4 * words }]);
    const empty = new Uint32Array(0);
    const values = decode({
      ...{ layout, rows: count, columns },
      ...{ codes: new Uint32Array(bytes), scales: empty, codebook: empty },
    });
    out.set(values, firstRow * columns);
  }
  return out.map((value, i) => form === "relative" ? value * (1 + offsets[i]) : value + offsets[i]);
}

/**
 * Writes the adapter of a model, with trained offsets applied, as a folder that PEFT reads: `adapter_config.json` and
 * `adapter_model.safetensors`. A path that ends in `.gguf` gets the file that llama.cpp loads with a model.
 *
 * Trained biases, norms and dense matrices of the base are written with the adapter, as PEFT's `bias` and `modules_to_save`.
 *
 * @param offsets Trained offsets. Undefined: the adapter as it is.
 * @throws {TypeError} when the model has no adapter.
 * @throws {RangeError} for a path that an adapter cannot be written to, and when scales of packed matrices were trained as well, which no
 * adapter file can contain.
 *
 * @example An untrained adapter of the bundled model
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
  const foreign = offsets?.trainables.filter(({ name }) => !tensors.has(name)) ?? [];
  const packed = foreign.find(({ name }) => !isWhole(model.tensors.get(name)));
  if (packed) {
    throw new RangeError(
      `Cannot export an adapter: "${packed.name}" of the base was trained together with it, which no adapter file can contain; the ledger has both`,
    );
  }
  const moved = await offsets?.read(model.gpu);
  const replaced = new Map(adapter.replaced);
  for (const trainable of foreign) {
    const { name } = trainable;
    replaced.set(name, await tunedValues(model, trainable, moved!.get(name)!));
  }
  const { config, fingerprint: base } = model;
  const whole = replaced.size > 0 ? { ...adapter, replaced } : adapter;
  // A format that can hold the adapter alone may not hold trained tensors of the base.
  assertAdapterPath(path, { config, adapter: whole });
  const write = targetKind(path) === "gguf" ? writeGgufAdapter : writePeft;
  await write(path, { config, adapter: whole, base, baseName, ...moved ? { offsets: moved } : {} });
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
