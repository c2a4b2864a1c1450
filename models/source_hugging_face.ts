/**
 * A model in a Hugging Face folder: `config.json`, `model.safetensors` or a sharded index, `tokenizer.json`.
 *
 * @module
 */

import { join } from "@std/path";
import { formatByName } from "../quant/formats.ts";
import { readSafetensors, type SafetensorsDtype } from "../quant/safetensors.ts";
import { architectureOf } from "./architectures.ts";
import { configFromHuggingFace } from "./config.ts";
import { type FileSource, openFile } from "./file_source.ts";
import { huggingFaceName } from "./names.ts";
import { plainTensors } from "./plain_names.ts";
import { quantizedTensors } from "./quantization_methods.ts";
import type { ModelSource, TensorSource, TokenizerFiles } from "./source.ts";
import { checkNoBias } from "./stored_planes.ts";
import { storedFloats } from "./stored_values.ts";
import { ClaimedTensors, notesOfUnclaimed, refuseOtherModels, strangers } from "./tensor_places.ts";
import type { QuantizedTensors, StoredTensorPlace, StoredTensors } from "./stored_tensors.ts";
import { tokenizerFromJson } from "./tokenizer.ts";

const DENSE: Partial<Record<SafetensorsDtype, string>> = { F32: "F32", F16: "F16", BF16: "BF16" };
const LARGEST_JSON = 64 * 2 ** 20;

/**
 * Opens a folder and checks that it holds the whole model. Tensors quantised by a method of
 * {@linkcode QUANTIZATION_METHODS} (`quantization_config` of `config.json`, or `quantize_config.json`) are read as they are.
 *
 * @throws {SyntaxError | RangeError | TypeError} When a file is damaged or does not fit the configuration
 */
export async function huggingFaceModelSource(folder: string): Promise<ModelSource> {
  const configName = join(folder, "config.json");
  const json = await readJson(configName);
  const config = configFromHuggingFace(json, configName);
  const files = new Map<string, FileSource>();
  const close = () => files.forEach((f) => f[Symbol.dispose]());
  try {
    const plain = plainTensors(folder, await locate(folder, files));
    const located = new ClaimedTensors(plain.tensors);
    refuseOtherModels(folder, located.keys());
    const quantized = await quantizedOf(folder, json, configName, located);
    // Some exporters store the tied table under the head's name only.
    const tied = config.tiedHead ||
      !located.has("lm_head.weight") && !quantized?.has("lm_head.weight");
    const effective = { ...config, tiedHead: tied };
    const tensors = new Map<string, TensorSource>();
    for (const { name, rows, columns } of architectureOf(config).weights(effective)) {
      const base = huggingFaceName(name.replace(/\.weight$/, ""))!;
      const names = name === "token_embd.weight" ? [base, "lm_head"] : [base];
      const found = names.map((n) => `${n}.weight`).find((n) =>
        located.has(n) || quantized?.has(n)
      );
      if (!found) {
        throw new RangeError(
          `Cannot load "${folder}": it has no tensor "${base}.weight"${
            strangers(located.unclaimed, effective)
          }`,
        );
      }
      await checkNoBias(located, found.replace(/weight$/, "bias"), rows);
      tensors.set(
        name,
        quantized?.has(found)
          ? await quantized.open({ name, stored: found, rows, columns })
          : denseTensor(name, found, rows, columns, located.get(found)!),
      );
    }
    const notes = [...plain.notes, ...await notesOfUnclaimed(folder, located, effective)];
    const tokenizerFiles = await readTokenizerFiles(folder);
    return {
      name: folder,
      config: effective,
      tensors,
      notes,
      tokenizer: tokenizerFiles &&
        tokenizerFromJson(tokenizerFiles.json, tokenizerFiles.config, tokenizerFiles),
      tokenizerFiles,
      folder: { path: folder, files },
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** What a folder says of its tokenizer; undefined where it has no `tokenizer.json`. */
async function readTokenizerFiles(folder: string): Promise<TokenizerFiles | undefined> {
  const json = await readJson(join(folder, "tokenizer.json"), true);
  if (json === undefined) return undefined;
  const config = await readJson(join(folder, "tokenizer_config.json"), true);
  const chatTemplate = await readText(join(folder, "chat_template.jinja"), true) ??
    await templateOfProcessor(folder, config);
  return { json, config, ...(chatTemplate === undefined ? {} : { chatTemplate }) };
}

/** `chat_template.json` is a processor's: it counts where nothing else has a template. */
async function templateOfProcessor(folder: string, config: unknown): Promise<string | undefined> {
  if ((config as { chat_template?: unknown } | undefined)?.chat_template) return undefined;
  const file = await readJson(join(folder, "chat_template.json"), true);
  const template = (file as { chat_template?: unknown } | undefined)?.chat_template;
  return typeof template === "string" ? template : undefined;
}

async function readText(path: string, optional: boolean): Promise<string | undefined> {
  try {
    const { size } = await Deno.stat(path);
    if (size > LARGEST_JSON) throw new RangeError(`Cannot read "${path}": it has ${size} bytes`);
    return await Deno.readTextFile(path);
  } catch (error) {
    if (optional && error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function readJson(path: string, optional = false): Promise<unknown> {
  const text = await readText(path, optional);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot read "${path}": ${(cause as Error).message}`, { cause });
  }
}

async function locate(
  folder: string,
  files: Map<string, FileSource>,
): Promise<Map<string, StoredTensorPlace>> {
  const index = await readJson(join(folder, "model.safetensors.index.json"), true);
  const map = index === undefined
    ? undefined
    : (index as { weight_map?: unknown } | null)?.weight_map;
  if (index !== undefined && (typeof map !== "object" || map === null)) {
    throw new SyntaxError(`Cannot read "${folder}": its safetensors index has no weight_map`);
  }
  const names = map
    ? [...new Set(Object.values(map as Record<string, unknown>))]
    : [await onlyFile(folder)];
  const located = new Map<string, StoredTensorPlace>();
  for (const name of names) {
    if (typeof name !== "string" || name.length > 255 || /[\\/\0]|^\.\.?$/.test(name)) {
      throw new SyntaxError(
        `Cannot read "${folder}": its index names the file ${JSON.stringify(name)}`,
      );
    }
    const file = await openFile(join(folder, name));
    files.set(name, file);
    const { tensors } = await readSafetensors(file);
    for (const [tensor, where] of tensors) {
      located.set(tensor, { ...where, file, planes: tensors });
    }
  }
  return located;
}

// AutoGPTQ names its file after the settings, such as "gptq_model-4bit-128g.safetensors".
async function onlyFile(folder: string): Promise<string> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".safetensors")) found.push(name);
  }
  return found.length === 1 ? found[0] : "model.safetensors";
}

async function quantizedOf(
  folder: string,
  config: unknown,
  configName: string,
  tensors: StoredTensors,
): Promise<QuantizedTensors | undefined> {
  const { quantization_config: settings } = config as { quantization_config?: unknown };
  if (settings !== undefined && settings !== null) {
    return quantizedTensors(settings, tensors, configName);
  }
  // As AutoGPTQ wrote it before config.json took the settings in; it named no method.
  const name = join(folder, "quantize_config.json");
  const own = await readJson(name, true);
  if (own !== undefined) return quantizedTensors(own, tensors, name, "gptq");
  // HQQ's own library writes no settings: each layer has them.
  const isHqq = [...tensors.keys()].some((tensor) => tensor.endsWith(".W_q"));
  return isHqq ? quantizedTensors({}, tensors, configName, "hqq") : undefined;
}

function denseTensor(
  name: string,
  stored: string,
  rows: number,
  columns: number,
  at: StoredTensorPlace,
): TensorSource {
  const formatName = DENSE[at.dtype];
  if (!formatName) {
    throw new RangeError(
      `Cannot load tensor "${stored}": its type is ${at.dtype}, readable are F32, F16, BF16`,
    );
  }
  const shape = at.shape.length === 1 ? [1, ...at.shape] : at.shape;
  if (shape.length !== 2 || shape[0] !== rows || shape[1] !== columns) {
    throw new RangeError(
      `Cannot load tensor "${stored}": its shape is [${at.shape}], expected [${rows}, ${columns}]`,
    );
  }
  const format = formatByName(formatName);
  const rowBytes = format.rowBytes(columns);
  return {
    name,
    rows,
    columns,
    format,
    stored: { scales: storedFloats(at) },
    read: async (first, count) =>
      format.unpack(
        await at.file.read(at.offset + first * rowBytes, count * rowBytes),
        count,
        columns,
      ),
  };
}
