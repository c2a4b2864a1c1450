/**
 * A model in a Hugging Face folder: `config.json`, `model.safetensors` or a sharded index, `tokenizer.json`.
 *
 * @module
 */

import { join } from "@std/path";
import { formatByName } from "../quant/formats.ts";
import { readSafetensors, type SafetensorsDtype } from "../quant/safetensors.ts";
import { architectureOf } from "./architectures.ts";
import { configFromHuggingFace, saysUntied } from "./config_hugging_face.ts";
import type { Note } from "./config_keys.ts";
import { type FileSource, openFile } from "./file_source.ts";
import { huggingFaceName } from "./names.ts";
import { quantizedTensors } from "./quantization_methods.ts";
import type { ModelSource, TensorSource } from "./source.ts";
import { checkNoBias } from "./stored_planes.ts";
import { storedFloats } from "./stored_values.ts";
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
  const notes: string[] = [];
  const note: Note = (sentence) => notes.push(sentence);
  const config = configFromHuggingFace(json, configName, note);
  const files = new Map<string, FileSource>();
  const close = () => files.forEach((f) => f[Symbol.dispose]());
  try {
    const located = await locate(folder, files);
    const quantized = await quantizedOf(folder, json, configName, located, note);
    const has = (name: string) => located.has(name) || quantized?.has(name) === true;
    const untied = saysUntied(json);
    if (untied && !has("lm_head.weight")) {
      throw new RangeError(
        `Cannot load "${folder}": tie_word_embeddings is false in its config.json and it has no tensor "lm_head.weight"; the upload is not whole, or the key should be true`,
      );
    }
    const tied = config.tiedHead || !has("lm_head.weight");
    const effective = { ...config, tiedHead: tied };
    const tensors = new Map<string, TensorSource>();
    for (const { name, rows, columns } of architectureOf(config).weights(effective)) {
      const base = huggingFaceName(name.replace(/\.weight$/, ""))!;
      // Some exporters store the tied table under the head's name only.
      const names = name === "token_embd.weight" && !untied ? [base, "lm_head"] : [base];
      const found = names.map((n) => `${n}.weight`).find(has);
      if (!found) {
        throw new RangeError(`Cannot load "${folder}": it has no tensor "${base}.weight"`);
      }
      await checkNoBias(located, found.replace(/weight$/, "bias"));
      tensors.set(
        name,
        quantized?.has(found)
          ? await quantized.open({ name, stored: found, rows, columns })
          : denseTensor(name, found, rows, columns, located.get(found)!),
      );
    }
    noteLayersLeftOut(located.keys(), config.layers, configName, note);
    quantized?.notes?.().forEach(note);
    const tokenizerJson = await readJson(join(folder, "tokenizer.json"), true);
    const tokenizerConfig = await readJson(join(folder, "tokenizer_config.json"), true);
    return {
      name: folder,
      config: effective,
      tensors,
      tokenizer: tokenizerJson === undefined
        ? undefined
        : tokenizerFromJson(tokenizerJson, tokenizerConfig),
      tokenizerFiles: tokenizerJson === undefined
        ? undefined
        : { json: tokenizerJson, config: tokenizerConfig },
      folder: { path: folder, files },
      notes,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function readJson(path: string, optional = false): Promise<unknown> {
  let text: string;
  try {
    const { size } = await Deno.stat(path);
    if (size > LARGEST_JSON) throw new RangeError(`Cannot read "${path}": ${size} bytes of JSON`);
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (optional && error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
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
  note: Note,
): Promise<QuantizedTensors | undefined> {
  const { quantization_config: settings } = config as { quantization_config?: unknown };
  if (settings !== undefined && settings !== null) {
    return quantizedTensors(settings, tensors, configName, { note });
  }
  // As AutoGPTQ wrote it before config.json took the settings in; it named no method.
  const name = join(folder, "quantize_config.json");
  const own = await readJson(name, true);
  if (own !== undefined) return quantizedTensors(own, tensors, name, { unnamed: "gptq", note });
  // HQQ's own library writes no settings: each layer has them.
  const isHqq = [...tensors.keys()].some((tensor) => tensor.endsWith(".W_q"));
  return isHqq ? quantizedTensors({}, tensors, configName, { unnamed: "hqq", note }) : undefined;
}

/** As transformers does: of a file with more layers than the configuration the first are the model. */
function noteLayersLeftOut(
  names: Iterable<string>,
  layers: number,
  configName: string,
  note: Note,
): void {
  const left = new Set<number>();
  for (const name of names) {
    const layer = Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? 0);
    if (layer >= layers) left.add(layer);
  }
  if (left.size === 0) return;
  note(
    `"${configName}": num_hidden_layers is ${layers}, the file has ${left.size} more; they are left out`,
  );
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
