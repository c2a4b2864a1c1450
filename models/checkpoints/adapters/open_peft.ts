/**
 * A LoRA adapter in a folder as PEFT writes it: `adapter_config.json` and `adapter_model.safetensors`.
 *
 * @module
 */

import { join } from "@std/path";
import { readSafetensors, type SafetensorsTensor } from "../../../quant/files/safetensors.ts";
import { float16ToNumber } from "../../../quant/layouts/float16.ts";
import { type LoraMatrix, loraNames, type LoraPlan } from "../../adapters/lora.ts";
import { modulePath, valueByPattern } from "../../adapters/module_patterns.ts";
import type { Adapter } from "../../adapters/scheme.ts";
import { architectureOf } from "../../architectures.ts";
import type { Weight } from "../../architecture.ts";
import { checkKeys, type Fields, isObject, shown } from "../../config/config_keys.ts";
import type { ModelConfig } from "../../model_config.ts";
import { type FileSource, openFile } from "../disk/files.ts";
import { readJsonFile } from "../disk/read_file.ts";
import { upFromFile } from "./adapter_rows.ts";
import { PEFT_LORA_KEYS } from "./peft_keys.ts";

/** Settings of an adapter in a folder. */
export const PEFT_CONFIG = "adapter_config.json";
/** Its tensors. */
export const PEFT_WEIGHTS = "adapter_model.safetensors";
/** What the names of its tensors begin with. */
export const PEFT_PREFIX = "base_model.model.";
/** Key of the file's metadata under which this library says which base it was trained on. */
export const BASE_KEY = "qzo.base";

/** An adapter of a file, and what the file says of its base. */
export interface OpenedAdapter {
  /** What stands beside the base. */
  readonly adapter: Adapter;
  /** The fingerprint of the base that it was made with, if it says so. */
  readonly base?: string | undefined;
  /** What the base is called, if it says so. */
  readonly baseName?: string | undefined;
  /** What of the file was left out, a sentence each. Default: nothing. */
  readonly notes?: readonly string[];
}

type Floats = Float32Array<ArrayBuffer>;

/** The numbers of a tensor. @throws {RangeError} For one that is not finite, or of a type that adapters do not have */
export async function floatsOf(
  source: FileSource,
  name: string,
  { dtype, offset, byteLength }: SafetensorsTensor,
): Promise<Floats> {
  const refuse = (why: string) =>
    new RangeError(`Cannot read "${source.name}": tensor ${shown(name)} ${why}`);
  const bytes = await source.read(offset, byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let values: Floats;
  if (dtype === "F32") {
    values = Float32Array.from({ length: byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
  } else if (dtype === "F16") {
    values = Float32Array.from(
      { length: byteLength / 2 },
      (_, i) => float16ToNumber(view.getUint16(2 * i, true)),
    );
  } else if (dtype === "BF16") {
    const words = Uint32Array.from(
      { length: byteLength / 2 },
      (_, i) => view.getUint16(2 * i, true) << 16 >>> 0,
    );
    values = new Float32Array(words.buffer);
  } else throw refuse(`has type ${dtype}, expected F32, F16 or BF16`);
  if (!values.every(Number.isFinite)) throw refuse("has a value that is not finite");
  return values;
}

/** The numbers of a pattern map. */
function numbersOf(value: unknown, key: string, what: string): Record<string, number> {
  if (value === undefined || value === null) return {};
  if (isObject(value) && Object.values(value).every((one) => Number.isFinite(one))) {
    return value as Record<string, number>;
  }
  throw new RangeError(`Cannot read ${what}: ${key} ${shown(value)} is not a map of numbers`);
}

/** What of the settings the scale follows from. */
function scaleOf(config: Fields, what: string): (weight: Weight, rank: number) => number {
  const { r = 8, lora_alpha: usual = 8, use_rslora: stable = false } = config;
  const rankOf = valueByPattern(numbersOf(config.rank_pattern, "rank_pattern", what));
  const alphaOf = valueByPattern(numbersOf(config.alpha_pattern, "alpha_pattern", what));
  return (weight, rank) => {
    const said = rankOf(weight) ?? r;
    if (said !== rank) {
      throw new RangeError(
        `Cannot read ${what}: it gives rank ${shown(said)} for ${
          modulePath(weight)
        }, but the matrices have ${rank}`,
      );
    }
    const alpha = alphaOf(weight) ?? usual;
    if (typeof alpha !== "number" || !Number.isFinite(alpha) || alpha === 0) {
      throw new RangeError(
        `Cannot read ${what}: lora_alpha ${shown(alpha)} is not a number other than 0`,
      );
    }
    return alpha / (stable === true ? Math.sqrt(rank) : rank);
  };
}

/**
 * Reads a LoRA adapter of PEFT for a model. A and B become f32; B's rows are brought into the order that the model has them in.
 *
 * @throws {SyntaxError} When a file is damaged
 * @throws {RangeError} For what is no LoRA, for settings that are not computed here (DoRA, starts that alter the base, trained biases and whole
 * modules) by name, and for tensors that do not fit the model
 */
export async function openPeft(
  folder: string,
  { config: modelConfig }: { readonly config: ModelConfig },
): Promise<OpenedAdapter> {
  const path = join(folder, PEFT_CONFIG);
  const what = `"${path}"`;
  const config = await readJsonFile(path, "settings");
  if (!isObject(config)) throw new RangeError(`Cannot read ${what}: it is not an object`);
  if (config.peft_type !== "LORA") {
    throw new RangeError(
      `Cannot read ${what}: peft_type is ${
        shown(config.peft_type)
      }, only LORA, PREFIX_TUNING and PROMPT_TUNING are supported`,
    );
  }
  checkKeys(config, PEFT_LORA_KEYS, { what });
  using source = await openFile(join(folder, PEFT_WEIGHTS), "adapter");
  const { tensors, metadata } = await readSafetensors(source);
  const architecture = architectureOf(modelConfig);
  const { base } = architecture.huggingFace;
  const left = new Map(tensors);
  const scale = scaleOf(config, what);
  const matrices: LoraMatrix[] = [];
  const values = new Map<string, Floats>();
  for (const weight of architecture.weights(modelConfig)) {
    if (weight.role !== "matrix" && weight.role !== "head") continue;
    const paths = [modulePath(weight), modulePath(weight).replace(`${base}.`, "")];
    const prefix = paths.map((one) => PEFT_PREFIX + one).find((one) =>
      left.has(`${one}.lora_A.weight`)
    );
    if (prefix === undefined) continue;
    const take = async (name: string, shape: readonly number[]): Promise<Floats> => {
      const tensor = left.get(name);
      const found = tensor?.shape;
      if (!tensor || shape.length !== found!.length || shape.some((n, i) => n !== found![i])) {
        throw new RangeError(
          `Cannot read "${source.name}": ${shown(name)} ${
            found ? `has shape ${shown(found)}` : "is missing"
          }, but the model "${architecture.name}" needs ${shown(shape)}`,
        );
      }
      left.delete(name);
      return await floatsOf(source, name, tensor);
    };
    const rank = left.get(`${prefix}.lora_A.weight`)!.shape[0];
    const names = loraNames(weight.name);
    const own: LoraMatrix = { matrix: weight.name, rank, scale: scale(weight, rank) };
    values.set(names.down, await take(`${prefix}.lora_A.weight`, [rank, weight.columns]));
    const up = await take(`${prefix}.lora_B.weight`, [weight.rows, rank]);
    values.set(names.up, upFromFile(up, weight, false));
    const bias = `${prefix}.lora_B.bias`;
    if (!left.has(bias)) matrices.push(own);
    else {
      matrices.push({ ...own, bias: true });
      values.set(names.bias, upFromFile(await take(bias, [weight.rows]), weight, false));
    }
  }
  assertAllRead(left.keys(), { name: source.name, matrices, architecture: architecture.name });
  const plan: LoraPlan = { matrices };
  const name = config.base_model_name_or_path;
  return {
    adapter: { scheme: "lora", plan, seed: 0, values },
    base: metadata.get(BASE_KEY),
    ...typeof name === "string" && name !== "" ? { baseName: name } : {},
  };
}

/** Refuses a file with tensors that belong to nothing, saying what they are where that is known. */
function assertAllRead(
  left: Iterable<string>,
  { name, matrices, architecture }: {
    readonly name: string;
    readonly matrices: readonly LoraMatrix[];
    readonly architecture: string;
  },
): void {
  const [first] = left;
  if (first === undefined && matrices.length > 0) return;
  if (matrices.length === 0) {
    throw new RangeError(
      `Cannot read "${name}": no tensor belongs to a matrix of this ${architecture} model${
        first === undefined ? "" : ` (its first is ${shown(first)})`
      }; adapters fit only their own architecture`,
    );
  }
  const why = /lora_magnitude_vector/.test(first)
    ? "belongs to DoRA, which is not supported"
    : /lora_embedding/.test(first)
    ? "is LoRA on an embedding, which is not supported"
    : /\.(weight|bias)$/.test(first) && !/\.lora_[AB]\./.test(first)
    ? "is a trained tensor of the base; merge it into the model first"
    : "does not belong to any matrix of this model";
  throw new RangeError(`Cannot read "${name}": ${shown(first)} ${why}`);
}
