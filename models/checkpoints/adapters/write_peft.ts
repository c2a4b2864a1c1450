/**
 * Writes an adapter as a folder that PEFT reads.
 *
 * @module
 */

import { join } from "@std/path";
import { type SafetensorsTensorData, writeSafetensors } from "../../../quant/files/safetensors.ts";
import { modulePath } from "../../adapters/module_patterns.ts";
import { weightsOf } from "../../architectures.ts";
import { adapterScheme } from "../../adapters/schemes.ts";
import { writeFileWhole } from "../disk/files.ts";
import { writeFolderWhole } from "../disk/write_together.ts";
import { upToFile } from "./adapter_rows.ts";
import { BASE_KEY, PEFT_CONFIG, PEFT_WEIGHTS } from "./open_peft.ts";
import { writePeftPrompt } from "./peft_prompt.ts";
import { PEFT_PREFIX, replacedInPeft } from "./replaced_tensors.ts";
import { type AdapterToWrite, tunedAdapter } from "./tuned_adapter.ts";

/**
 * Writes an adapter, with trained offsets applied, as a folder that PEFT and this library read. Tensors are F32. The base model's fingerprint is
 * stored in the metadata of the safetensors file.
 *
 * @throws {RangeError} for an adapter of a scheme that PEFT's folders cannot express.
 *
 * @example An untrained LoRA adapter
 * ```ts
 * import { fingerprint, loraAdapter, openModelSource, writePeft } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const folder = await Deno.makeTempDir();
 * const [{ config, name: baseName }, base] = [source, await fingerprint(source)];
 * await writePeft(`${folder}/lora`, { config, adapter: loraAdapter(source), baseName, base });
 * const files = Array.from(Deno.readDirSync(`${folder}/lora`), ({ name }) => name).sort();
 * assertEquals(files, ["adapter_config.json", "adapter_model.safetensors"]);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function writePeft(path: string, written: AdapterToWrite): Promise<void> {
  const { config, adapter, base, baseName } = written;
  if (adapter.scheme === "prefix" || adapter.scheme === "prompt") {
    return await writePeftPrompt(path, written);
  }
  const { peft, parse } = adapterScheme(adapter.scheme);
  if (!peft) {
    throw new RangeError(
      `Cannot write an adapter of scheme ${adapter.scheme} for PEFT: PEFT has no such scheme`,
    );
  }
  const plan = parse(adapter.plan);
  const values = tunedAdapter(written);
  const weights = new Map(weightsOf(config).map((weight) => [weight.name, weight]));
  const tensors = peft.tensors(config, plan).map((one): SafetensorsTensorData => {
    const { matrix, suffix, shape } = one;
    const weight = weights.get(matrix)!;
    const held = values.get(one.name)!;
    const own = one.byOutput ? upToFile(held, weight, false) : held;
    return {
      name: `${PEFT_PREFIX}${modulePath(weight)}.${suffix}`,
      dtype: "F32",
      shape,
      bytes: new Uint8Array(own.buffer, own.byteOffset, own.byteLength),
    };
  });
  const beside = new Set(peft.tensors(config, plan).map(({ matrix }) => matrix));
  const replaced = adapter.replaced ?? new Map();
  const more = replacedInPeft(config, replaced, { beside, prefix: PEFT_PREFIX });
  if (more.bias !== "none" && !peft.hasBias) {
    throw new RangeError(
      `Cannot write an adapter of scheme ${adapter.scheme} for PEFT: PEFT has no such scheme with trained biases of the base: PEFT supports them only with LoRA; the ledger has both`,
    );
  }
  const settings = {
    base_model_name_or_path: baseName,
    ...peft.hasBias ? { bias: more.bias } : {},
    inference_mode: true,
    modules_to_save: more.modules,
    peft_type: peft.type,
    task_type: "CAUSAL_LM",
    ...peft.settings(config, plan),
  };
  const sorted = Object.entries(settings).toSorted(([a], [b]) => a < b ? -1 : 1);
  await writeFolderWhole(path, PEFT_CONFIG, async (folder) => {
    const metadata = { format: "pt", [BASE_KEY]: base };
    await writeFileWhole(
      join(folder, PEFT_WEIGHTS),
      writeSafetensors([...tensors, ...more.tensors], metadata),
    );
    const json = `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
    await writeFileWhole(join(folder, PEFT_CONFIG), [new TextEncoder().encode(json)]);
  });
}
