/**
 * Reads an adapter folder written by PEFT, with tensors next to modules: `adapter_config.json` and `adapter_model.safetensors`.
 *
 * @module
 */

import { join } from "@std/path";
import { readSafetensors, type SafetensorsTensor } from "../../../quant/files/safetensors.ts";
import { float16ToNumber } from "../../../quant/layouts/float16.ts";
import { modulePath } from "../../adapters/module_patterns.ts";
import type { Adapter } from "../../adapters/scheme.ts";
import {
  adapterScheme,
  type AdapterSchemeName,
  adapterSchemeNames,
} from "../../adapters/schemes.ts";
import { architectureOf } from "../../architectures.ts";
import { checkKeys, isObject, shown } from "../../config/config_keys.ts";
import type { ModelConfig } from "../../model_config.ts";
import { type FileSource, openFile } from "../disk/files.ts";
import { readJsonFile } from "../disk/read_file.ts";
import { upFromFile } from "./adapter_rows.ts";
import { PEFT_KEYS } from "./peft_keys.ts";
import {
  PEFT_PREFIX,
  takeReplaced,
  type TensorsToTake,
  whyNotReplaced,
} from "./replaced_tensors.ts";

/** Name of the file with the settings. */
export const PEFT_CONFIG = "adapter_config.json";
/** Name of the file with the tensors. */
export const PEFT_WEIGHTS = "adapter_model.safetensors";
/** Key of the file's metadata in which this library stores the base model's fingerprint. */
export const BASE_KEY = "qzo.base";

/** An adapter from a file, with what the file says about its base model. */
export interface OpenedAdapter {
  /** The adapter. */
  readonly adapter: Adapter;
  /** Fingerprint of the base model it was trained with, if the file contains it. */
  readonly base?: string | undefined;
  /** Name of the base model, if the file contains it. */
  readonly baseName?: string | undefined;
  /** What was ignored in the file, one sentence each. Default: nothing. */
  readonly notes?: readonly string[];
}

type Floats = Float32Array<ArrayBuffer>;

/**
 * The numbers of a tensor.
 *
 * @throws {RangeError} for a value that is not finite, or a type that is not supported in adapters.
 */
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

/** The tensors of a file for a model, to be taken one by one. */
export function tensorsOf(
  source: FileSource,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  config: ModelConfig,
): TensorsToTake {
  const left = new Map(tensors);
  const take = async (name: string, shape: readonly number[]): Promise<Floats> => {
    const tensor = left.get(name);
    const found = tensor?.shape;
    if (!tensor || shape.length !== found!.length || shape.some((n, i) => n !== found![i])) {
      throw new RangeError(
        `Cannot read "${source.name}": ${shown(name)} ${
          found ? `has shape ${shown(found)}` : "is missing"
        }, but the model "${architectureOf(config).name}" needs ${shown(shape)}`,
      );
    }
    left.delete(name);
    return await floatsOf(source, name, tensor);
  };
  return { left, take };
}

/**
 * The scheme with this PEFT type.
 *
 * @throws {RangeError} for an unknown type, listing the supported ones.
 */
function schemeOfType(type: unknown, what: string): AdapterSchemeName {
  const found = adapterSchemeNames.find((name) => adapterScheme(name).peft?.type === type);
  if (found !== undefined && typeof type === "string") return found;
  const types = adapterSchemeNames.flatMap((name) => adapterScheme(name).peft?.type ?? []);
  throw new RangeError(
    `Cannot read ${what}: peft_type is ${shown(type)}, only ${
      types.join(", ")
    }, PREFIX_TUNING and PROMPT_TUNING are supported`,
  );
}

/**
 * Reads a PEFT adapter with tensors next to modules, such as LoRA, for a model. Tensors are converted to f32, and rows that correspond to those
 * of a matrix are put into the order that the model uses.
 *
 * @throws {SyntaxError} when a file is damaged.
 * @throws {RangeError} for an adapter of another kind, for settings that are not supported (DoRA, initialisations that change the base model),
 * and for tensors that do not fit the model. The message names the setting or tensor.
 */
export async function openPeft(
  folder: string,
  { config }: { readonly config: ModelConfig },
): Promise<OpenedAdapter> {
  const path = join(folder, PEFT_CONFIG);
  const what = `"${path}"`;
  const settings = await readJsonFile(path, "settings");
  if (!isObject(settings)) throw new RangeError(`Cannot read ${what}: it is not an object`);
  const scheme = schemeOfType(settings.peft_type, what);
  const form = adapterScheme(scheme).peft!;
  checkKeys(settings, { ...PEFT_KEYS, ...form.keys }, { what });
  using source = await openFile(join(folder, PEFT_WEIGHTS), "adapter");
  const { tensors, metadata } = await readSafetensors(source);
  const architecture = architectureOf(config);
  const { left, take } = tensorsOf(source, tensors, config);
  const { base } = architecture.huggingFace;
  const weights = new Map(architecture.weights(config).map((weight) => [weight.name, weight]));
  /** The name of a module's tensor in this file. */
  const nameOf = (matrix: string, suffix: string) => {
    const path = modulePath(weights.get(matrix)!);
    const paths = [path, path.replace(`${base}.`, "")];
    const names = paths.map((path) => `${PEFT_PREFIX}${path}.${suffix}`);
    return names.find((name) => tensors.has(name)) ?? names[0];
  };
  const shapeOf = (matrix: string, suffix: string) => tensors.get(nameOf(matrix, suffix))?.shape;
  const plan = form.plan({ config, settings, what, shapeOf });
  const values = new Map<string, Floats>();
  for (const { name, matrix, suffix, shape, byOutput } of plan ? form.tensors(config, plan) : []) {
    const own = await take(nameOf(matrix, suffix), shape);
    values.set(name, byOutput ? upFromFile(own, weights.get(matrix)!, false) : own);
  }
  const replaced = plan
    ? await takeReplaced(config, { left, take }, PEFT_PREFIX)
    : new Map<string, Floats>();
  const [first] = left.keys();
  if (!plan) {
    throw new RangeError(
      `Cannot read "${source.name}": no tensor belongs to a matrix of this ${architecture.name} model${
        first === undefined ? "" : ` (its first is ${shown(first)})`
      }; adapters fit only their own architecture`,
    );
  }
  if (first !== undefined) {
    const why = form.foreign?.(first) ?? whyNotReplaced(first, { config, prefix: PEFT_PREFIX }) ??
      "does not belong to any matrix of this model";
    throw new RangeError(`Cannot read "${source.name}": ${shown(first)} ${why}`);
  }
  const name = settings.base_model_name_or_path;
  return {
    adapter: { scheme, plan, seed: 0, values, ...replaced.size > 0 ? { replaced } : {} },
    base: metadata.get(BASE_KEY),
    ...typeof name === "string" && name !== "" ? { baseName: name } : {},
  };
}
