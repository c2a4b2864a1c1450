/**
 * The table of quantisation methods of Hugging Face folders. A new method needs a file and a row here.
 *
 * @module
 */

import { checkKeys, isObject, type Note, shown } from "../../config/config_keys.ts";
import { QUANTIZATION_KEYS } from "./quantization_keys.ts";
import { aqlmTensors } from "./aqlm.ts";
import { bitsandbytesTensors } from "./bitsandbytes.ts";
import { compressedTensors } from "./compressed_tensors.ts";
import { awqTensors, gptqTensors } from "./gptq.ts";
import { hqqTensors } from "./hqq.ts";
import { packedTensors } from "./own.ts";
import { torchaoTensors } from "./torchao.ts";
import type { QuantizationMethod, QuantizedTensors, StoredTensors } from "./stored_tensors.ts";

/** Methods by `quant_method`. */
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
 * The quantised tensors of a folder. Undefined if there are no settings.
 *
 * @param settings `quantization_config` of `config.json`, or the whole contents of `quantize_config.json`.
 * @param what Path of the settings, for messages.
 * @param options `unnamed`: the method to assume if the settings, in a separate file, do not name one. `note`: called with information for the user.
 * @throws {SyntaxError} when the settings are not an object.
 * @throws {RangeError} when the method or one of its settings is not supported, or a key is unknown.
 */
export function quantizedTensors(
  settings: unknown,
  tensors: StoredTensors,
  what: string,
  { unnamed, note }: { readonly unnamed?: string; readonly note?: Note } = {},
): QuantizedTensors | undefined {
  if (settings === undefined || settings === null) return undefined;
  if (!isObject(settings)) {
    throw new SyntaxError(`Cannot read "${what}": its quantization settings are not an object`);
  }
  // MLX writes its settings without a method, here and also under "quantization".
  if (settings.quant_method === undefined && unnamed === undefined && "group_size" in settings) {
    const named = Object.hasOwn(settings, "mode") || Object.keys(settings).length === 2;
    if (named) {
      throw new RangeError(
        `Cannot read "${what}": quantization_config ${
          shown(settings)
        } is from MLX, which is not supported; convert the folder to a plain one with mlx_lm.convert --dequantize`,
      );
    }
  }
  const method = settings.quant_method ?? settings.method ?? unnamed;
  if (typeof method !== "string" || !Object.hasOwn(QUANTIZATION_METHODS, method)) {
    const known = Object.keys(QUANTIZATION_METHODS).map((name) => `"${name}"`).join(", ");
    throw new RangeError(
      `Cannot read "${what}": quantization method ${
        shown(method)
      } is not supported; expected one of ${known}`,
    );
  }
  const path = unnamed === undefined ? "quantization_config" : undefined;
  checkKeys(settings, QUANTIZATION_KEYS[method], {
    what: `"${what}"`,
    ...path && { path },
    ...note && { note },
  });
  return QUANTIZATION_METHODS[method](settings, tensors, what);
}
