/**
 * Reads a LoRA adapter from a folder written by mlx-lm: `adapter_config.json` and `adapters.safetensors`.
 *
 * @module
 */

import { join } from "@std/path";
import { readSafetensors } from "../../../quant/files/safetensors.ts";
import { type LoraMatrix, loraNames, type LoraPlan } from "../../adapters/lora_plan.ts";
import { modulePath } from "../../adapters/module_patterns.ts";
import { architectureOf } from "../../architectures.ts";
import {
  checkKeys,
  type Fields,
  harmless,
  isObject,
  keysOf,
  type KeyTable,
  only,
  read,
  shown,
} from "../../config/config_keys.ts";
import type { ModelConfig } from "../../model_config.ts";
import { openFile } from "../disk/files.ts";
import { transposed, upFromFile } from "./adapter_rows.ts";
import { floatsOf, type OpenedAdapter, PEFT_CONFIG } from "./open_peft.ts";

type Floats = Float32Array<ArrayBuffer>;

/** Name of the file with the tensors. */
export const MLX_WEIGHTS = "adapters.safetensors";

/** Keys of `lora_parameters`. The other settings in the file describe the run that created it. */
const LORA_KEYS: KeyTable = {
  ...keysOf("rank scale", read()),
  ...keysOf("dropout keys", harmless("about training, or evident from the tensors")),
  alpha: only(
    [],
    "older versions of mlx-lm multiplied the scale by alpha / rank, newer ones do not: remove it if the scale alone is meant",
    (value, { rank }) => value === rank,
  ),
};

/** Whether the settings of a folder are those of mlx-lm. */
export function isMlx(settings: Fields): boolean {
  return settings.peft_type === undefined &&
    (settings.lora_parameters !== undefined || settings.fine_tune_type !== undefined);
}

/** The scale, which mlx-lm stores directly. */
function scaleOf(settings: Fields, what: string): number {
  const { fine_tune_type: type = "lora", lora_parameters: own } = settings;
  const refuse = (why: string) =>
    new RangeError(`Cannot read the mlx-lm settings in ${what}: ${why}`);
  if (type !== "lora") {
    throw refuse(`fine_tune_type is ${shown(type)}, only "lora" is supported`);
  }
  if (!isObject(own)) throw refuse(`lora_parameters is ${shown(own)}, expected an object`);
  checkKeys(own, LORA_KEYS, { what: `${what}, lora_parameters` });
  if (typeof own.scale !== "number" || !Number.isFinite(own.scale)) {
    throw refuse(`lora_parameters.scale is ${shown(own.scale)}, expected a number`);
  }
  return own.scale;
}

/**
 * Reads a LoRA adapter of mlx-lm for a model. A, stored as `[inputs][rank]`, and B, stored as `[rank][outputs]`, are converted to f32. If they belong
 * to rotated heads, the columns of B are put into the order of the model's rows.
 *
 * @param settings Contents of `adapter_config.json`.
 * @throws {SyntaxError} when a file is damaged.
 * @throws {RangeError} when it contains DoRA, a whole model or an unknown setting, or a tensor does not fit the model. The message names the setting
 * or tensor.
 */
export async function openMlx(
  folder: string,
  { config, settings }: { readonly config: ModelConfig; readonly settings: Fields },
): Promise<OpenedAdapter> {
  const scale = scaleOf(settings, `"${join(folder, PEFT_CONFIG)}"`);
  using source = await openFile(join(folder, MLX_WEIGHTS), "adapter");
  const { tensors } = await readSafetensors(source);
  const architecture = architectureOf(config);
  const { base } = architecture.huggingFace;
  const left = new Map(tensors);
  const refuse = (name: string, why: string) =>
    new RangeError(`Cannot read "${source.name}" (mlx-lm): ${shown(name)} ${why}`);
  const matrices: LoraMatrix[] = [];
  const values = new Map<string, Floats>();
  for (const weight of architecture.weights(config)) {
    if (weight.role !== "matrix" && weight.role !== "head") continue;
    const path = modulePath(weight);
    // mlx-lm names the part before the layers "model", whatever its name in folders.
    const stem = [path, path.replace(`${base}.`, "model.")].find((one) =>
      left.has(`${one}.lora_a`)
    );
    if (stem === undefined) continue;
    const rank = left.get(`${stem}.lora_a`)!.shape[1];
    const take = async (name: string, shape: readonly (number | undefined)[]) => {
      const tensor = left.get(name);
      if (!tensor) throw refuse(name, "is missing");
      const own = tensor.shape;
      if (own.length !== 2 || own.some((n, i) => n !== shape[i])) {
        throw refuse(
          name,
          `has shape ${shown(own)}, but the model "${architecture.name}" needs ${shown(shape)}`,
        );
      }
      left.delete(name);
      return await floatsOf(source, name, tensor);
    };
    const { down, up } = loraNames(weight.name);
    const a = await take(`${stem}.lora_a`, [weight.columns, rank]);
    const b = await take(`${stem}.lora_b`, [rank, weight.rows]);
    values.set(down, transposed(a, weight.columns));
    values.set(up, upFromFile(transposed(b, rank), weight, false));
    matrices.push({ matrix: weight.name, rank, scale });
  }
  const [first] = left.keys();
  if (first !== undefined) {
    throw refuse(
      first,
      first.endsWith(".m")
        ? "belongs to DoRA, which is not supported"
        : "does not belong to any matrix of this model, or is not LoRA",
    );
  }
  if (matrices.length === 0) {
    throw new RangeError(`Cannot read "${source.name}" (mlx-lm): it contains no tensors`);
  }
  const plan: LoraPlan = { matrices };
  const { model } = settings;
  return {
    adapter: { scheme: "lora", plan, seed: 0, values },
    ...typeof model === "string" && model !== "" ? { baseName: model } : {},
  };
}
