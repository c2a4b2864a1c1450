/**
 * The table of quantisation methods of Hugging Face folders. A new one is a file and one line here.
 *
 * @module
 */

import { aqlmTensors } from "./source_aqlm.ts";
import { bitsandbytesTensors } from "./source_bitsandbytes.ts";
import { compressedTensors } from "./source_compressed_tensors.ts";
import { awqTensors, gptqTensors } from "./source_gptq.ts";
import { hqqTensors } from "./source_hqq.ts";
import { packedTensors } from "./source_packed.ts";
import { torchaoTensors } from "./source_torchao.ts";
import type { QuantizationMethod, QuantizedTensors, StoredTensors } from "./stored_tensors.ts";

/** By `quant_method`. */
export const QUANTIZATION_METHODS: Readonly<Record<string, QuantizationMethod>> = {
  qzo: packedTensors,
  gptq: gptqTensors,
  awq: awqTensors,
  hqq: hqqTensors,
  "compressed-tensors": compressedTensors,
  aqlm: aqlmTensors,
  bitsandbytes: bitsandbytesTensors,
  torchao: torchaoTensors,
};

/**
 * The quantised tensors of a folder; none without settings.
 *
 * @param settings `quantization_config` of `config.json`, or the whole of `quantize_config.json`
 * @param what The file of the settings, for messages
 * @param unnamed The method of settings that name none
 * @throws {SyntaxError} for settings that are no object.
 * @throws {RangeError} for a method that this library cannot read, or settings that it cannot.
 */
export function quantizedTensors(
  settings: unknown,
  tensors: StoredTensors,
  what: string,
  unnamed?: string,
): QuantizedTensors | undefined {
  if (settings === undefined || settings === null) return undefined;
  if (typeof settings !== "object" || Array.isArray(settings)) {
    throw new SyntaxError(`Cannot read "${what}": its quantization settings are no object`);
  }
  const fields = settings as Record<string, unknown>;
  const method = fields.quant_method ?? unnamed;
  if (typeof method !== "string" || !Object.hasOwn(QUANTIZATION_METHODS, method)) {
    const known = Object.keys(QUANTIZATION_METHODS).map((name) => `"${name}"`).join(", ");
    throw new RangeError(
      `Cannot read "${what}": quantization method ${
        JSON.stringify(method)
      } is not supported, known are ${known}`,
    );
  }
  return QUANTIZATION_METHODS[method](fields, tensors, what);
}
