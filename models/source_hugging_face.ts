/**
 * A model in a Hugging Face folder: `config.json`, `model.safetensors` or a sharded index, `tokenizer.json`.
 *
 * @module
 */

import { join } from "@std/path";
import type { Format } from "../quant/format.ts";
import { formatByName } from "../quant/formats.ts";
import {
  readSafetensors,
  type SafetensorsDtype,
  type SafetensorsTensor,
} from "../quant/safetensors.ts";
import { packedFromSafetensors } from "../quant/packed_safetensors.ts";
import { architectureOf } from "./architectures.ts";
import { configFromHuggingFace } from "./config.ts";
import { type FileSource, openFile } from "./file_source.ts";
import { huggingFaceName } from "./names.ts";
import type { ModelSource, TensorSource } from "./source.ts";
import { tokenizerFromJson } from "./tokenizer.ts";

const DENSE: Partial<Record<SafetensorsDtype, string>> = { F32: "F32", F16: "F16", BF16: "BF16" };
const LARGEST_JSON = 64 * 2 ** 20;

interface Located extends SafetensorsTensor {
  readonly file: FileSource;
  /** Every tensor of that file. */
  readonly planes: Map<string, SafetensorsTensor>;
}

/**
 * Opens a folder and checks that it holds the whole model. Own packed formats (`quantization_config.quant_method` "qzo") are
 * read back as they were written.
 *
 * @throws {SyntaxError | RangeError} When a file is damaged or does not fit the configuration
 */
export async function huggingFaceModelSource(folder: string): Promise<ModelSource> {
  const configName = join(folder, "config.json");
  const json = await readJson(configName);
  const config = configFromHuggingFace(json, configName);
  const files: FileSource[] = [];
  const close = () => files.forEach((f) => f[Symbol.dispose]());
  try {
    const located = await locate(folder, files);
    const packedFormats = formatsOf(json, configName);
    // Some exporters store the tied table under the head's name only.
    const tied = config.tiedHead ||
      !located.has("lm_head.weight") && !packedFormats.has("lm_head.weight");
    const effective = { ...config, tiedHead: tied };
    const tensors = new Map<string, TensorSource>();
    for (const { name, rows, columns } of architectureOf(config).weights(effective)) {
      const base = huggingFaceName(name.replace(/\.weight$/, ""))!;
      const names = name === "token_embd.weight" ? [base, "lm_head"] : [base];
      const found = names.map((n) => `${n}.weight`).find((n) =>
        located.has(n) || packedFormats.has(n)
      );
      if (!found) {
        throw new RangeError(`Cannot load "${folder}": it has no tensor "${base}.weight"`);
      }
      const format = packedFormats.get(found);
      tensors.set(
        name,
        format
          ? packedTensor(name, found, format, rows, columns, located)
          : denseTensor(name, found, rows, columns, located.get(found)!),
      );
    }
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

async function locate(folder: string, files: FileSource[]): Promise<Map<string, Located>> {
  const index = await readJson(join(folder, "model.safetensors.index.json"), true);
  const map = index === undefined
    ? undefined
    : (index as { weight_map?: unknown } | null)?.weight_map;
  if (index !== undefined && (typeof map !== "object" || map === null)) {
    throw new SyntaxError(`Cannot read "${folder}": its safetensors index has no weight_map`);
  }
  const names = map
    ? [...new Set(Object.values(map as Record<string, unknown>))]
    : ["model.safetensors"];
  const located = new Map<string, Located>();
  for (const name of names) {
    if (typeof name !== "string" || name.length > 255 || /[\\/\0]|^\.\.?$/.test(name)) {
      throw new SyntaxError(
        `Cannot read "${folder}": its index names the file ${JSON.stringify(name)}`,
      );
    }
    const file = await openFile(join(folder, name));
    files.push(file);
    const { tensors } = await readSafetensors(file);
    for (const [tensor, where] of tensors) {
      located.set(tensor, { ...where, file, planes: tensors });
    }
  }
  return located;
}

function formatsOf(config: unknown, name: string): Map<string, Format> {
  const quantization = (config as { quantization_config?: unknown }).quantization_config;
  if (quantization === undefined || quantization === null) return new Map();
  const { quant_method: method, formats } = quantization as Record<string, unknown>;
  if (method !== "qzo" || typeof formats !== "object" || formats === null) {
    throw new RangeError(
      `Cannot read "${name}": quantization method ${
        JSON.stringify(method)
      } is not supported, only "qzo"`,
    );
  }
  return new Map(
    Object.entries(formats).map(([tensor, format]) => [tensor, formatByName(String(format))]),
  );
}

function denseTensor(
  name: string,
  stored: string,
  rows: number,
  columns: number,
  at: Located,
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
    read: async (first, count) =>
      format.unpack(
        await at.file.read(at.offset + first * rowBytes, count * rowBytes),
        count,
        columns,
      ),
  };
}

function packedTensor(
  name: string,
  stored: string,
  format: Format,
  rows: number,
  columns: number,
  located: ReadonlyMap<string, Located>,
): TensorSource {
  const codes = located.get(`${stored}.codes`);
  if (!codes) throw new RangeError(`Cannot load tensor "${stored}": "${stored}.codes" is missing`);
  // All planes of a tensor lie in one file.
  const file = { tensors: codes.planes, metadata: new Map<string, string>() };
  const where = { name: stored, format: format.name, rows, columns };
  return {
    name,
    rows,
    columns,
    format,
    read: (firstRow, count) =>
      packedFromSafetensors(codes.file, file, where, { firstRow, rows: count }),
  };
}
