/**
 * Opens a model in a Hugging Face folder: `config.json`, `model.safetensors` or an index with shards, `tokenizer.json`.
 *
 * @module
 */

import { join } from "@std/path";
import { formatByName } from "../../../quant/formats/formats.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import { quantize } from "../../../quant/quantisers/round_to_nearest.ts";
import type { SafetensorsDtype } from "../../../quant/files/safetensors.ts";
import type { Weight } from "../../architecture.ts";
import { weightsOf } from "../../architectures.ts";
import { checkGain } from "../check_gain.ts";
import {
  configFromHuggingFace,
  knowsModelType,
  saysUntied,
} from "../../config/config_hugging_face.ts";
import type { Note } from "../../config/config_keys.ts";
import type { FileSource } from "../disk/files.ts";
import { folderNames } from "../folder_names.ts";
import { lackingOf } from "../nearest_architecture.ts";
import { noteLayersLeftOut } from "./layers_left_out.ts";
import { folderEntries } from "../disk/look.ts";
import { plainTensors } from "./plain_names.ts";
import { quantizedTensors } from "./methods.ts";
import { readJsonFile } from "../disk/read_file.ts";
import type { ModelSource, TensorSource } from "../checkpoint.ts";
import { fileRows } from "../file_rows.ts";
import { readTokenizerFiles } from "./source_tokenizer.ts";
import { bytesOf, checkNoBias, wholeTensor } from "./stored_planes.ts";
import { transposedBytes } from "./transposed.ts";
import { storedFloats, storedFromOne } from "../stored_values.ts";
import { noteOnTiedHead } from "./tied_head.ts";
import {
  ClaimedTensors,
  notesOfUnclaimed,
  refuseOtherModels,
  strangers,
} from "../tensor_places.ts";
import type { QuantizedTensors, StoredTensorPlace, StoredTensors } from "./stored_tensors.ts";
import { tokenizerFromJson } from "../../tokenizers/tokenizer.ts";
import { locateTensors, weightFiles } from "./weight_files.ts";
import { notAModel } from "../disk/what_is_this.ts";

/** Settings files of AutoGPTQ and AutoAWQ, from before config.json contained the settings. They name no method. */
const SETTINGS = { "quantize_config.json": "gptq", "quant_config.json": "awq" };

const DENSE: Partial<Record<SafetensorsDtype, string>> = { F32: "F32", F16: "F16", BF16: "BF16" };

/**
 * Opens a folder and checks that it contains the whole model. Tensors that are quantised by one of {@linkcode QUANTIZATION_METHODS}
 * (`quantization_config` of `config.json`, or `quantize_config.json` or `quant_config.json`) are not decoded.
 *
 * @throws {SyntaxError | RangeError | TypeError} when a file is damaged or does not fit the configuration.
 */
export async function huggingFaceModelSource(folder: string): Promise<ModelSource> {
  const entries = await folderEntries(folder);
  const chosen = entries.files.includes("adapter_config.json")
    ? undefined
    : await weightFiles(folder, entries.files);
  if (!chosen || !entries.files.includes("config.json")) throw await notAModel(folder);
  const configName = join(folder, "config.json");
  const json = await readJsonFile(configName, "settings");
  const notes: string[] = [];
  const note: Note = (sentence) => notes.push(sentence);
  const files = new Map<string, FileSource>();
  const close = () => files.forEach((f) => f[Symbol.dispose]());
  try {
    const config = knowsModelType(json)
      ? configFromHuggingFace(json, configName, note)
      : await refuseUnknown(json, configName, () => locateTensors(folder, chosen, files));
    const ofFiles = await locateTensors(folder, chosen, files);
    const plain = plainTensors(folder, ofFiles.tensors, folderNames(config));
    notes.push(...ofFiles.notes, ...plain.notes);
    const located = new ClaimedTensors(plain.tensors);
    refuseOtherModels(folder, located.keys());
    const quantized = await quantizedOf(folder, json, configName, located, note);
    located.isQuantised = quantized !== undefined;
    const has = (name: string) => located.has(name) || quantized?.has(name) === true;
    const untied = saysUntied(json);
    const { head } = folderNames(config);
    const hasHead = head !== undefined && has(head);
    if (untied && !hasHead) {
      throw new RangeError(
        `Cannot load "${folder}": tie_word_embeddings is false in its config.json and it has no tensor "${head}"; the upload is incomplete, or the key should be true`,
      );
    }
    const effective = { ...config, tiedHead: config.tiedHead || !hasHead };
    const names = folderNames(effective);
    const tensors = new Map<string, TensorSource>();
    for (const weight of weightsOf(effective)) {
      const { name, huggingFace, rows, columns, role } = weight;
      // Some exporters store a tied embedding only under the name of the head.
      const others = role === "embedding" && !untied && head ? [head] : [];
      const found = [huggingFace, ...others].find(has);
      if (!found) {
        throw new RangeError(
          `Cannot load "${folder}": it has no tensor "${huggingFace}"${
            strangers(huggingFace.replace(/\.weight$/, ""), located, effective, names)
          }`,
        );
      }
      const bias = found.replace(/weight$/, "bias");
      const says = !names.weights.has(bias) && !names.leftOut.some((it) => it.pattern.test(bias));
      if (says) await checkNoBias(located, bias, rows);
      const tensor = quantized?.has(found)
        ? await quantized.open({ name, stored: found, rows, columns })
        : denseTensor(weight, found, located.get(found)!);
      const named = { ...tensor, role, fileName: found };
      checkGain(named);
      tensors.set(name, named);
    }
    noteLayersLeftOut(located.keys(), names, config, configName, note);
    quantized?.notes?.().forEach(note);
    const ofHead = config.tiedHead ? await noteOnTiedHead(located, names) : undefined;
    if (ofHead !== undefined) note(ofHead);
    notes.push(...await notesOfUnclaimed(folder, located, effective, names));
    const tokenizerFiles = await readTokenizerFiles(folder, json);
    const tokenizer = tokenizerFiles &&
      tokenizerFromJson(tokenizerFiles.json, tokenizerFiles.config, tokenizerFiles);
    tokenizer?.notes?.forEach(note);
    return {
      name: folder,
      config: effective,
      tensors,
      tokenizer,
      tokenizerFiles,
      folder: { path: folder, files },
      notes,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Rejects an unknown `model_type`, and says what the nearest known one lacks. */
async function refuseUnknown(
  json: unknown,
  name: string,
  locate: () => Promise<{ readonly tensors: ReadonlyMap<string, unknown> }>,
): Promise<never> {
  try {
    configFromHuggingFace(json, name);
    throw new TypeError(`Cannot read "${name}": its model_type is known`);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const tensors = await locate().then(({ tensors }) => tensors.keys(), () => []);
    error.message += lackingOf(json, tensors);
    throw error;
  }
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
  for (const [file, unnamed] of Object.entries(SETTINGS)) {
    const name = join(folder, file);
    const own = await readJsonFile(name, "settings", { optional: true });
    if (own !== undefined) return quantizedTensors(own, tensors, name, { unnamed, note });
  }
  // HQQ's own library writes no settings file: each layer contains its settings.
  const isHqq = [...tensors.keys()].some((tensor) => tensor.endsWith(".W_q"));
  return isHqq ? quantizedTensors({}, tensors, configName, { unnamed: "hqq", note }) : undefined;
}

function denseTensor(
  { name, rows, columns, transposed = false, fromOne = false }: Weight,
  stored: string,
  at: StoredTensorPlace,
): TensorSource {
  const formatName = DENSE[at.dtype];
  if (!formatName) {
    throw new RangeError(
      `Cannot load tensor "${stored}": its type is ${at.dtype}; expected F32, F16, BF16`,
    );
  }
  const shape = at.shape.length === 1 ? [1, ...at.shape] : at.shape;
  const expected = transposed ? [columns, rows] : [rows, columns];
  if (shape.length !== 2 || shape.some((length, i) => length !== expected[i])) {
    throw new RangeError(
      `Cannot load tensor "${stored}": its shape is [${at.shape}], expected [${
        expected.join(", ")
      }] by config.json`,
    );
  }
  const format = formatByName(formatName);
  if (transposed) {
    const width = at.dtype === "F32" ? 4 : 2;
    const order = (row: number, column: number) => column * rows + row;
    return wholeTensor(
      { name, stored, rows, columns },
      { format, stored: { scales: storedFloats(at, order) } },
      async () =>
        format.unpack(transposedBytes(await bytesOf(at), columns, rows, width), rows, columns),
    );
  }
  if (fromOne) {
    return wholeTensor(
      { name, stored, rows, columns },
      { format: formatByName("F32"), stored: { scales: storedFromOne(at) } },
      async () => {
        const distances = decode(format.unpack(await bytesOf(at), rows, columns));
        return quantize(distances.map((it) => 1 + it), rows, columns, "F32");
      },
    );
  }
  return {
    name,
    rows,
    columns,
    format,
    stored: { scales: storedFloats(at) },
    read: fileRows(at.file, at.offset, { format, columns }),
  };
}
