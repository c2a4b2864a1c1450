/**
 * Reads and writes prefix and prompt adapters as folders of PEFT: one tensor, `prompt_embeddings`, and whole modules of the base that were trained
 * with it.
 *
 * @module
 */

import { join } from "@std/path";
import {
  readSafetensors,
  type SafetensorsTensorData,
  writeSafetensors,
} from "../../../quant/files/safetensors.ts";
import { fitAdapter } from "../../adapters/adapted.ts";
import { prefixNames, type PrefixPlan } from "../../adapters/prefix.ts";
import { PROMPT_VECTORS, type PromptPlan } from "../../adapters/prompt.ts";
import type { Adapter } from "../../adapters/scheme.ts";
import { architectureOf, weightsOf } from "../../architectures.ts";
import type { Weight } from "../../architecture.ts";
import {
  checkKeys,
  type Fields,
  harmless,
  keysOf,
  type KeyTable,
  only,
  read,
  shown,
} from "../../config/config_keys.ts";
import type { ModelConfig } from "../../model_config.ts";
import { openFile, writeFileWhole } from "../disk/files.ts";
import { writeFolderWhole } from "../disk/write_together.ts";
import { transposed, upFromFile, upToFile } from "./adapter_rows.ts";
import { BASE_KEY, type OpenedAdapter, PEFT_CONFIG, PEFT_WEIGHTS, tensorsOf } from "./open_peft.ts";
import {
  PEFT_PROMPT_PREFIX,
  replacedInPeft,
  takeReplaced,
  whyNotReplaced,
} from "./replaced_tensors.ts";
import { type AdapterToWrite, tunedAdapter } from "./tuned_adapter.ts";

type Floats = Float32Array<ArrayBuffer>;

/** Name of the adapter's only tensor. */
const TENSOR = "prompt_embeddings";

/** Metadata key with which this library records that positions begin at 0, for which PEFT has no setting. */
const POSITIONS_KEY = "qzo.positions";
const UNSHIFTED = "from 0";

const SHARED_KEYS: KeyTable = {
  ...keysOf("peft_type num_virtual_tokens token_dim num_layers num_attention_heads", read()),
  base_model_name_or_path: read(),
  num_transformer_submodules: only([1], "the model would have an encoder and a decoder"),
  modules_to_save: harmless("the tensors show which modules of the base it includes"),
  ...keysOf(
    "task_type auto_mapping revision peft_version inference_mode",
    harmless("describes the file"),
  ),
};

const PREFIX_KEYS: KeyTable = {
  ...SHARED_KEYS,
  ...keysOf(
    "encoder_hidden_size prefix_projection init_weights",
    harmless("the file contains the output of the projection"),
  ),
};

const PROMPT_KEYS: KeyTable = {
  ...SHARED_KEYS,
  ...keysOf(
    "prompt_tuning_init prompt_tuning_init_text tokenizer_name_or_path tokenizer_kwargs",
    harmless("how it was initialised"),
  ),
};

/** Whether `peft_type` is one that stores a single tensor and is supported here. */
export function isPeftPrompt(type: unknown): boolean {
  return type === "PREFIX_TUNING" || type === "PROMPT_TUNING";
}

/** The matrix of a layer's keys, if the rows of its rotated heads are in different orders in folders and in the model. */
function rotatedKeys(config: ModelConfig, layer: number): Weight | undefined {
  return weightsOf(config).find(({ name, rotary }) =>
    name === `blk.${layer}.attn_k.weight` && rotary !== undefined
  );
}

/** Checks that a setting, if it is present, has the model's value. */
function assertSetting(config: Fields, key: string, wanted: number, what: string): void {
  const found = config[key] ?? wanted;
  if (found === wanted) return;
  throw new RangeError(
    `Cannot read ${what}: ${key} is ${
      shown(found)
    }, but the model needs ${wanted}; the adapter was made for a different model`,
  );
}

/**
 * Reads a prefix or prompt adapter of PEFT for a model. The elements of keys in rotated heads are put into the model's order.
 *
 * @param settings Contents of `adapter_config.json`, whose `peft_type` has been checked.
 * @throws {SyntaxError} when a file is damaged.
 * @throws {RangeError} when a setting is not supported or the tensor does not fit the model. The message names the setting.
 */
export async function openPeftPrompt(
  folder: string,
  { config, settings }: { readonly config: ModelConfig; readonly settings: Fields },
): Promise<OpenedAdapter> {
  const what = `"${join(folder, PEFT_CONFIG)}"`;
  const isPrefix = settings.peft_type === "PREFIX_TUNING";
  checkKeys(settings, isPrefix ? PREFIX_KEYS : PROMPT_KEYS, { what });
  using source = await openFile(join(folder, PEFT_WEIGHTS), "adapter");
  const { tensors, metadata } = await readSafetensors(source);
  const tensor = tensors.get(TENSOR);
  const { name } = architectureOf(config);
  if (!tensor) throw new RangeError(`Cannot read "${source.name}": it has no "${TENSOR}"`);
  const tokens = tensor.shape[0];
  const plan: PrefixPlan | PromptPlan = isPrefix
    ? { tokens, shift: metadata.get(POSITIONS_KEY) !== UNSHIFTED }
    : { tokens };
  const adapter = { scheme: isPrefix ? "prefix" : "prompt", plan, seed: 0 };
  const { keyValueHeads, headDimension, layers } = config;
  const width = keyValueHeads * headDimension;
  const columns = [...fitAdapter(config, adapter).tensors.values()].reduce(
    (sum, tensor) => sum + tensor.columns,
    0,
  );
  const wanted = [tokens, columns];
  if (tensor.shape.length !== 2 || tensor.shape[1] !== columns) {
    throw new RangeError(
      `Cannot read "${source.name}": "${TENSOR}" has shape ${
        shown(tensor.shape)
      }, but the model "${name}" needs ${
        shown(wanted)
      }; the adapter was made for a different model`,
    );
  }
  assertSetting(settings, "num_virtual_tokens", tokens, what);
  assertSetting(settings, "num_layers", layers, what);
  if (isPrefix) {
    assertSetting(settings, "token_dim", width, what);
    assertSetting(settings, "num_attention_heads", keyValueHeads, what);
  }
  const { left, take } = tensorsOf(source, tensors, config);
  const all = await take(TENSOR, wanted);
  const replaced = await takeReplaced(config, { left, take }, PEFT_PROMPT_PREFIX);
  const [other] = left.keys();
  if (other !== undefined) {
    throw new RangeError(
      `Cannot read "${source.name}": ${shown(other)} ${
        whyNotReplaced(other, { config, prefix: PEFT_PROMPT_PREFIX }) ??
          "belongs neither to such an adapter nor to this model"
      }`,
    );
  }
  const table = isPrefix ? undefined : tableOf(config);
  const hasTable = table !== undefined && replaced.delete(table);
  const values = new Map<string, Floats>();
  if (!isPrefix) values.set(PROMPT_VECTORS, all);
  for (let layer = 0; isPrefix && layer < layers; layer++) {
    const names = prefixNames(layer);
    const part = (index: number) => {
      const own = new Float32Array(tokens * width);
      for (let token = 0; token < tokens; token++) {
        const at = token * columns + index * width;
        own.set(all.subarray(at, at + width), token * width);
      }
      return own;
    };
    const keys = part(2 * layer);
    const rotated = rotatedKeys(config, layer);
    values.set(
      names.keys,
      rotated ? upFromFile(transposed(keys, tokens), rotated, false) : keys,
    );
    values.set(names.values, part(2 * layer + 1));
  }
  const baseName = settings.base_model_name_or_path;
  return {
    adapter: { ...adapter, values, ...replaced.size > 0 ? { replaced } : {} },
    base: metadata.get(BASE_KEY),
    ...typeof baseName === "string" && baseName !== "" ? { baseName } : {},
    ...hasTable ? { notes: [`${what}: ${TABLE_IGNORED}`] } : {},
  };
}

const TABLE_IGNORED =
  "the trained embedding in modules_to_save is ignored, as in PEFT: tokens behind a prompt are looked up in the base's";

/** The name of the embedding in the model. */
function tableOf(config: ModelConfig): string {
  return weightsOf(config).find(({ role }) => role === "embedding")!.name;
}

/** Values of `prompt_embeddings`: the vectors of a prompt, or each token's keys and values in all layers for a prefix. */
function embeddingsOf(
  config: ModelConfig,
  isPrefix: boolean,
  tuned: ReadonlyMap<string, Floats>,
): Floats {
  if (!isPrefix) return tuned.get(PROMPT_VECTORS)!;
  const { layers, keyValueHeads, headDimension } = config;
  const width = keyValueHeads * headDimension;
  const parts = Array.from({ length: layers }, (_, layer) => {
    const names = prefixNames(layer);
    const keys = tuned.get(names.keys)!;
    const rotated = rotatedKeys(config, layer);
    const tokens = keys.length / width;
    const own = rotated ? transposed(upToFile(keys, rotated, false), width) : keys;
    return [own.subarray(0, tokens * width), tuned.get(names.values)!];
  }).flat();
  const tokens = parts[0].length / width;
  const out = new Float32Array(tokens * parts.length * width);
  parts.forEach((part, index) => {
    for (let token = 0; token < tokens; token++) {
      const at = (token * parts.length + index) * width;
      out.set(part.subarray(token * width, (token + 1) * width), at);
    }
  });
  return out;
}

/** Contents of `adapter_config.json`. */
function settingsOf(
  { config, adapter, baseName }: AdapterToWrite,
  { isPrefix, width, modules }: {
    readonly isPrefix: boolean;
    readonly width: number;
    readonly modules: readonly string[] | null;
  },
): Record<string, unknown> {
  const { tokens } = adapter.plan as PrefixPlan | PromptPlan;
  const shared = {
    auto_mapping: null,
    base_model_name_or_path: baseName,
    inference_mode: true,
    modules_to_save: modules,
    num_layers: config.layers,
    num_transformer_submodules: 1,
    num_virtual_tokens: tokens,
    revision: null,
    task_type: "CAUSAL_LM",
  };
  const { keyValueHeads, headDimension, heads } = config;
  const own = isPrefix
    ? {
      encoder_hidden_size: keyValueHeads * headDimension,
      num_attention_heads: keyValueHeads,
      peft_type: "PREFIX_TUNING",
      prefix_projection: false,
      token_dim: keyValueHeads * headDimension,
    }
    : {
      num_attention_heads: heads,
      peft_type: "PROMPT_TUNING",
      prompt_tuning_init: "RANDOM",
      prompt_tuning_init_text: null,
      token_dim: width,
      tokenizer_name_or_path: null,
    };
  return Object.fromEntries(
    Object.entries({ ...shared, ...own }).toSorted(([a], [b]) => a < b ? -1 : 1),
  );
}

/**
 * Writes a prefix or prompt adapter, with trained offsets applied, as a folder that PEFT and this library read. PEFT has no setting for a prefix that
 * does not shift positions: it is recorded in the metadata of the safetensors file, which PEFT ignores.
 */
export async function writePeftPrompt(path: string, written: AdapterToWrite): Promise<void> {
  const { config, adapter, base } = written;
  const isPrefix = adapter.scheme === "prefix";
  const { tokens } = adapter.plan as PrefixPlan | PromptPlan;
  const all = embeddingsOf(config, isPrefix, tunedAdapter(written));
  const width = all.length / tokens;
  const tensor: SafetensorsTensorData = {
    name: TENSOR,
    dtype: "F32",
    shape: [tokens, width],
    bytes: new Uint8Array(all.buffer, all.byteOffset, all.byteLength),
  };
  const replaced = adapter.replaced ?? new Map();
  assertWritable(config, { isPrefix, replaced });
  const more = replacedInPeft(config, replaced, { prefix: PEFT_PROMPT_PREFIX });
  const unshifted = isPrefix && !(adapter.plan as PrefixPlan).shift;
  const metadata = {
    format: "pt",
    [BASE_KEY]: base,
    ...unshifted ? { [POSITIONS_KEY]: UNSHIFTED } : {},
  };
  await writeFolderWhole(path, PEFT_CONFIG, async (folder) => {
    await writeFileWhole(
      join(folder, PEFT_WEIGHTS),
      writeSafetensors([...more.tensors, tensor], metadata),
    );
    const settings = settingsOf(written, { isPrefix, width, modules: more.modules });
    const json = `${JSON.stringify(settings, null, 2)}\n`;
    await writeFileWhole(join(folder, PEFT_CONFIG), [new TextEncoder().encode(json)]);
  });
}

/** @throws {RangeError} when there are tensors of the base that PEFT would not use with such an adapter. */
function assertWritable(
  config: ModelConfig,
  { isPrefix, replaced }: {
    readonly isPrefix: boolean;
    readonly replaced: ReadonlyMap<string, unknown>;
  },
): void {
  const table = tableOf(config);
  if (isPrefix || !replaced.has(table)) return;
  throw new RangeError(
    `Cannot write a prompt with "${table}" of the base for PEFT: PEFT looks tokens behind a prompt up in the base's own embedding; the ledger has both`,
  );
}

/** Information for the user about a prefix or prompt adapter written for PEFT, one sentence each. */
export function peftPromptNotes({ scheme, plan }: Pick<Adapter, "scheme" | "plan">): string[] {
  if (scheme !== "prefix" || (plan as PrefixPlan).shift) return [];
  return [
    "in PEFT positions start after the prefix, but this prefix was trained with positions from 0. This library reads that from the file; PEFT ignores it and computes something else",
  ];
}
