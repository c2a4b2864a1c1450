/**
 * A table of what may exist at a path where a model was expected, and what to do about it.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { inWords } from "./attempt.ts";
import { type FileHead, foreignContents } from "./file_contents.ts";
import { type FolderEntries, folderEntries, headOfFile, list } from "./look.ts";
import { isGgufModel, isUnfinished } from "./model_names.ts";
import { isThere, nothingThere } from "./nothing_there.ts";
import { readJsonFile } from "./read_file.ts";
import { isWeights } from "../hugging_face/weight_files.ts";

/** What was found at a path. */
interface Found {
  /** Path as given. */
  readonly path: string;
  /** Last component of the path. */
  readonly name: string;
  /** Entries, for folders. */
  readonly entries?: FolderEntries;
  /** First bytes, for files. */
  readonly head?: FileHead;
}

interface Row {
  /** What it is and what to do, as a continuation of `Cannot load "...": `. Undefined if the row does not apply. */
  readonly says: (found: Found) => string | undefined | Promise<string | undefined>;
}

const TO_SAFETENSORS =
  "load it with transformers and save it by save_pretrained(folder, safe_serialization=True)";

const has = (found: Found, pattern: RegExp): string[] =>
  found.entries?.files.filter((name) => pattern.test(name)) ?? [];

/** Files that are not models. */
const FILES: readonly Row[] = [
  {
    says: ({ name, head }) => {
      return isUnfinished(name)
        ? `it is a download that was not finished (${
          head!.size
        } bytes so far): continue it, or download it again`
        : undefined;
    },
  },
  {
    says: ({ head }) =>
      head!.size === 0 ? "it is empty: its download or copy failed; get it again" : undefined,
  },
  {
    says: ({ head }) =>
      head!.text.startsWith("QZOLEDGR")
        ? "it is a ledger of this library, a fine-tune and not a model: give the model it was made from with --model, and this with --ledger"
        : undefined,
  },
  { says: ({ head }) => isNothing(foreignContents(head!)) },
  {
    says: async ({ path, name, head }) => {
      const isSafetensors = /\.safetensors$/i.test(name) || /^[^]{8}\s*\{"/.test(head!.text);
      if (!isSafetensors) return undefined;
      if (/"format"\s*:\s*"qzo-adapter-1"/.test(head!.text)) {
        return "it is an adapter of this library, not a model: give the model it was made from with --model, and this with --adapter";
      }
      const folder = dirname(path);
      const { files } = await folderEntries(folder);
      if (/^adapter(?:_model)?\./.test(name)) return await adapterSays(folder);
      return files.includes("config.json")
        ? `it is one file of a model's folder: give the folder, "${folder}"`
        : "it is a safetensors file, which says nothing of its model's shape: put config.json and tokenizer.json of the model beside it and give the folder";
    },
  },
  {
    says: ({ path, name }) =>
      /\.json$/i.test(name)
        ? `it is a file of JSON: give the model's folder, "${dirname(path)}"`
        : undefined,
  },
  {
    says: ({ name }) =>
      /\.(?:bin|pt|pth|ckpt)$/i.test(name)
        ? `it is a file of PyTorch by its name, which is not supported: ${TO_SAFETENSORS}`
        : undefined,
  },
  {
    says: ({ name }) =>
      /\.onnx$/i.test(name)
        ? "it is an ONNX model, which is not supported: get the model as safetensors or GGUF"
        : undefined,
  },
  {
    says: ({ name }) =>
      /\.(?:h5|keras|msgpack|tflite|pb|nemo|mlpackage|mlmodel|engine|pte|xml)$/i.test(name)
        ? "it is a model of another framework (TensorFlow, Flax, NeMo, Core ML, TensorRT, OpenVINO), which is not supported: get the model as safetensors or GGUF"
        : undefined,
  },
  {
    says: ({ name }) =>
      name === "tokenizer.model"
        ? "it is a tokenizer of SentencePiece, not a model: give the model's folder or GGUF file"
        : undefined,
  },
  {
    says: ({ name }) =>
      /\.ya?ml$/i.test(name)
        ? "it is a configuration by its name, not a model: give it as the first argument of a command"
        : undefined,
  },
  {
    says: ({ head }) =>
      `it is neither a GGUF file nor a folder: it begins with ${
        JSON.stringify(head!.text.slice(0, 8))
      }. Give a GGUF file, or a folder with config.json and safetensors files`,
  },
];

/** Folders without a supported model. */
const FOLDERS: readonly Row[] = [
  {
    says: ({ entries: { files, folders } = NO_ENTRIES }) =>
      files.length + folders.length === 0
        ? "the folder is empty: its download or copy failed"
        : undefined,
  },
  {
    says: async (found) =>
      found.entries!.files.includes("adapter_config.json")
        ? await adapterSays(found.path)
        : undefined,
  },
  {
    says: ({ path, entries }) =>
      entries!.files.includes("run.ledger")
        ? `it is the folder of a run, whose model its config.yaml names: give it as the first argument of a command, or "${
          join(path, "run.ledger")
        }" with --ledger`
        : undefined,
  },
  {
    says: async ({ path, entries }) => {
      if (!entries!.folders.includes("snapshots")) return undefined;
      const found = await modelsBelow(join(path, "snapshots"));
      return `it is the entry of a model in the Hugging Face cache: ${
        found.length === 0
          ? "no whole snapshot is in it, download it again (hf download)"
          : `give the snapshot in it, ${list(found.map((it) => `"${it}"`))}`
      }`;
    },
  },
  {
    says: async ({ path, entries }) => {
      const cached = entries!.folders.filter((name) => name.startsWith("models--"));
      if (cached.length === 0) return undefined;
      const found: string[] = [];
      for (const name of cached.slice(0, MOST_LOOKED_AT)) {
        found.push(...await modelsBelow(join(path, name, "snapshots")).catch(() => []));
      }
      return `it is the Hugging Face cache of ${cached.length} models: give a snapshot in it${
        found.length === 0 ? "" : `, such as ${list(found.map((it) => `"${it}"`))}`
      }`;
    },
  },
  {
    says: (found) => {
      const unfinished = has(found, /\.(?:part|partial|incomplete|crdownload|download|aria2)$/i);
      return unfinished.length > 0 && has(found, /\.(?:gguf|safetensors)$/i).length === 0
        ? `its download was not finished: there is ${
          list(unfinished)
        }. Go on with it, or download it again`
        : undefined;
    },
  },
  {
    says: (found) => {
      const files = has(found, /\.gguf$/i);
      if (files.length === 0) return undefined;
      const models = files.filter(isGgufModel);
      return models.length === 0
        ? `it has no model, only ${
          list(files)
        } beside one (mmproj: what sees images, imatrix: measured inputs): get the model's own file too`
        : `it has several GGUF files: give one of them, ${
          list(models.map((it) => `"${join(found.path, it)}"`))
        }`;
    },
  },
  {
    says: ({ entries }) =>
      entries!.files.includes("model_index.json")
        ? "it is a pipeline of diffusers, which is not supported: language models of the families in the README are"
        : undefined,
  },
  {
    says: (found) => {
      const original = has(
        found,
        /^consolidated\..*(?:pth|safetensors)$|^consolidated\.safetensors$/,
      );
      return original.length > 0 ||
          has(found, /^params\.json$/).length > 0 && !hasSafetensors(found)
        ? `it is a model in the form of its makers (${
          list([...original, ...has(found, /^params\.json$/)])
        }), which is not supported: get it in the form of the Hugging Face hub (config.json and model.safetensors), or convert it with convert_llama_weights_to_hf.py of transformers`
        : undefined;
    },
  },
  {
    says: (found) =>
      hasSafetensors(found) && has(found, /^config\.json$/).length === 0
        ? `it has weights (${
          list(has(found, /\.safetensors$/))
        }) and no config.json, which says the model's shape: copy config.json of the model there${
          has(found, /^tokenizer/).length === 0 ? ", and tokenizer.json" : ""
        }`
        : undefined,
  },
  {
    says: (found) => {
      const pickled = has(found, /^(?:gptq|awq|.*(?:gptq|awq|\b[2348]-?bit)).*\.(?:pt|pth|bin)$/i);
      return pickled.length > 0
        ? `it has quantised weights in pickled form (${
          list(pickled)
        }), which is not supported: get the same model as safetensors, or quantise the 16-bit model with qzo quantize`
        : undefined;
    },
  },
  {
    says: (found) => {
      const pickled = [
        ...has(found, /^pytorch_model.*\.bin$/),
        ...has(found, /\.(?:pt|pth|ckpt)$|^(?!training_args|optimizer|scheduler|rng_).*\.bin$/),
      ];
      return pickled.length > 0
        ? `it has ${
          list([...new Set(pickled)])
        } (PyTorch's pickled form), which is not supported: convert it to safetensors (${TO_SAFETENSORS})`
        : undefined;
    },
  },
  {
    says: (found) => {
      const other = has(
        found,
        /^tf_model\.h5$|^flax_model.*\.msgpack$|\.(?:h5|keras|msgpack|ckpt\.index)$/,
      );
      return other.length > 0
        ? `it has ${
          list(other)
        } (TensorFlow or Flax), which is not supported: convert it with transformers (from_pretrained with from_tf=True or from_flax=True, then save_pretrained)`
        : undefined;
    },
  },
  {
    says: (found) => {
      const onnx = has(found, /\.onnx(?:_data)?$/);
      return onnx.length > 0 || found.entries!.folders.includes("onnx")
        ? `it has ${
          onnx.length > 0 ? list(onnx) : "the folder onnx"
        } (ONNX), which is not supported: get the model as safetensors or GGUF`
        : undefined;
    },
  },
  {
    says: (found) => {
      const mlx = has(found, /^weights(?:\.\d+)?\.npz$/);
      return mlx.length > 0
        ? `it has ${
          list(mlx)
        } (MLX), which is not supported: get the model as safetensors from the hub, or convert it with mlx_lm (fuse, with --export-gguf)`
        : undefined;
    },
  },
  {
    says: (found) =>
      has(found, /^tokenizer|^vocab|^config\.json$/).length > 0
        ? `it has no weights (model.safetensors), only ${
          list(found.entries!.files)
        }: download or copy them too`
        : undefined,
  },
  {
    says: async ({ path, entries }) => {
      if (entries!.folders.length === 0) return undefined;
      const found = await modelsBelow(path);
      return found.length === 0
        ? undefined
        : `it is a folder of models: give one of them, ${list(found.map((it) => `"${it}"`))}`;
    },
  },
  {
    says: (found) => {
      const tables = has(found, /\.(?:parquet|jsonl|csv|tsv|arrow)$/);
      return tables.length > 0
        ? `it has data (${list(tables)}) and no model: give it with --data`
        : undefined;
    },
  },
  {
    says: ({ entries }) =>
      `it has no config.json and no safetensors or GGUF file, only ${
        list([...entries!.files, ...entries!.folders])
      }`,
  },
];

const MOST_LOOKED_AT = 20;
const NO_ENTRIES: FolderEntries = { files: [], folders: [] };

/**
 * The error to throw if no model can be read from `path`. It says what exists there.
 *
 * @returns A `Deno.errors.NotFound` if nothing exists there, a RangeError if something else does, or an error of the system with a readable message.
 */
export async function notAModel(path: string): Promise<Error> {
  const name = basename(path);
  try {
    const info = await Deno.stat(path);
    const [rows, found]: [readonly Row[], Found] = info.isDirectory
      ? [FOLDERS, { path, name, entries: await folderEntries(path) }]
      : [FILES, { path, name, head: await headOfFile(path) }];
    return new RangeError(`Cannot load "${path}": ${await firstOf(rows, found)}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !isLink(path)) {
      return new Deno.errors.NotFound(`Cannot load "${path}": ${nothingThere(path)}`, {
        cause: error,
      });
    }
    const told = inWords(error, { what: "load", path });
    return told instanceof Error ? told : new Error(String(told));
  }
}

async function firstOf(rows: readonly Row[], found: Found): Promise<string> {
  for (const { says } of rows) {
    const words = await says(found);
    if (words !== undefined) return words;
  }
  return "it is no model"; // The last row of each table always applies.
}

function isNothing(contents: string | undefined): string | undefined {
  return contents === undefined ? undefined : `it is ${contents}`;
}

function hasSafetensors(found: Found): boolean {
  return found.entries!.files.some(isWeights);
}

/** Message about a folder with a LoRA adapter of PEFT. It names the adapter's base model. */
async function adapterSays(folder: string): Promise<string> {
  let base: unknown;
  try {
    const config = await readJsonFile(join(folder, "adapter_config.json"), "settings");
    base = (config as { base_model_name_or_path?: unknown } | null)?.base_model_name_or_path;
  } catch {
    // Without it the message names no base.
  }
  const whole = (await folderEntries(folder)).files.filter(isWeights);
  const of = typeof base === "string" && base !== ""
    ? ` to "${base.slice(0, 200)}"`
    : " to a model that it does not name";
  return `it ${
    whole.length > 0 ? `has ${list(whole)} and` : "is"
  } a LoRA adapter (adapter_config.json)${of}, which is not laid over a model here: ${
    whole.length > 0
      ? "if the weights have it merged in, move adapter_config.json and adapter_model away; else merge it"
      : "merge it into that model"
  } with peft (merge_and_unload, then save_pretrained) and give the merged folder`;
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch {
    return false;
  }
}

/** Folders that contain a model, one level below `path`. */
async function modelsBelow(path: string): Promise<string[]> {
  const { folders } = await folderEntries(path);
  return folders.slice(0, 100).map((name) => join(path, name))
    .filter((folder) => isThere(join(folder, "config.json")) || hasGguf(folder));
}

function hasGguf(folder: string): boolean {
  try {
    let looked = 0;
    for (const { name } of Deno.readDirSync(folder)) {
      if (/\.gguf$/i.test(name)) return true;
      if (++looked >= 1000) break;
    }
  } catch {
    // The folder cannot be read.
  }
  return false;
}
