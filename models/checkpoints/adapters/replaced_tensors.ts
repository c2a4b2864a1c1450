/**
 * Biases and whole modules of the base that an adapter's file has besides the adapter: PEFT's `bias` and `modules_to_save`.
 *
 * @module
 */

import type { SafetensorsTensorData } from "../../../quant/files/safetensors.ts";
import { modulePath } from "../../adapters/module_patterns.ts";
import { architectureOf, weightsOf } from "../../architectures.ts";
import type { Weight } from "../../architecture.ts";
import type { ModelConfig } from "../../model_config.ts";
import { reordered, transposed } from "./adapter_rows.ts";
import { headsToReorder } from "../head_order.ts";

type Floats = Float32Array<ArrayBuffer>;

/** What the names of tensors in PEFT's files begin with. */
export const PEFT_PREFIX = "base_model.model.";

/** The same where nothing stands beside modules, as with prefixes and prompts: PEFT has one wrapper less around the base. */
export const PEFT_PROMPT_PREFIX = "base_model.";

/** The names by which a file may have a weight: a module that an adapter stands beside has its bias one level deeper. */
function namesInFile(
  { huggingFace }: Weight,
  { base, prefix }: { readonly base: string; readonly prefix: string },
): readonly string[] {
  return [huggingFace, huggingFace.replace(`${base}.`, "")].flatMap((name) => [
    prefix + name,
    prefix + name.replace(/\.bias$/, ".base_layer.bias"),
  ]);
}

/** Tensors of a file that are still to be read, by name. */
export interface TensorsToTake {
  /** Those that nobody has taken. */
  readonly left: ReadonlyMap<string, unknown>;
  /** The numbers of one, which is no longer among those. */
  readonly take: (name: string, shape: readonly number[]) => Promise<Floats>;
}

/**
 * Takes the base's tensors out of an adapter's file, by their names in the model.
 *
 * @param prefix What their names in the file begin with
 */
export async function takeReplaced(
  config: ModelConfig,
  { left, take }: TensorsToTake,
  prefix: string,
): Promise<Map<string, Floats>> {
  const { base } = architectureOf(config).huggingFace;
  const replaced = new Map<string, Floats>();
  // The bias of RoBERTa's head goes by two names.
  const [bias, twin] = ["lm_head.bias", "lm_head.decoder.bias"].map((name) => prefix + name);
  if (left.has(twin) && left.has(bias)) await take(twin, [config.vocabulary]);
  for (const weight of weightsOf(config)) {
    const name = namesInFile(weight, { base, prefix }).find((one) => left.has(one));
    if (name === undefined || whyNotReplaced(name, { config, prefix }) !== undefined) continue;
    replaced.set(weight.name, replacedFromFile(await take(name, shapeInFile(weight)), weight));
  }
  return replaced;
}

/** The shape of a weight in a folder. */
function shapeInFile({ rows, columns, transposed }: Weight): readonly number[] {
  if (rows === 1) return [columns];
  return transposed ? [columns, rows] : [rows, columns];
}

/** A weight of a folder as it lies on the device. */
function replacedFromFile(values: Floats, weight: Weight): Floats {
  const { rows, columns, rotary, fromOne } = weight;
  if (fromOne) return values.map((value) => 1 + value);
  const own = weight.transposed && rows > 1 ? transposed(values, columns) : values;
  const heads = headsToReorder(weight, false);
  return heads > 0 ? reordered(own, rotaryRows(weight), heads, rotary!.interleaved) : own;
}

/** The way back. */
function replacedToFile(values: Floats, weight: Weight): Floats {
  const { rows, rotary, fromOne } = weight;
  if (fromOne) return values.map((value) => value - 1);
  const heads = headsToReorder(weight, false);
  const own = heads > 0
    ? reordered(values, rotaryRows(weight), heads, !rotary!.interleaved)
    : values;
  return weight.transposed && rows > 1 ? transposed(own, rows) : own;
}

/** Rows that heads are of; a bias has them as elements. */
function rotaryRows({ rows, columns }: Weight): number {
  return rows === 1 ? columns : rows;
}

/** Why a tensor of the base cannot be an adapter's own on this model; undefined where it can. */
export function whyNotReplaced(
  name: string,
  { config, prefix }: { readonly config: ModelConfig; readonly prefix: string },
): string | undefined {
  const isTied = !weightsOf(config).some(({ role }) => role === "head");
  const embedding = weightsOf(config).find(({ role }) => role === "embedding")!;
  if (/^(classifier|score|qa_outputs)\./.test(name.slice(prefix.length))) {
    return "belongs to the head of a classifier (task_type SEQ_CLS and its like), and models here predict tokens; use it with PEFT";
  }
  const { base } = architectureOf(config).huggingFace;
  const names = namesInFile(embedding, { base, prefix });
  const isTable = names.includes(name) || /(^|\.)lm_head\.(decoder\.)?weight$/.test(name);
  return isTied && isTable
    ? "is a table that embedding and head of this model share, of which PEFT trains one alone; untie them in the model first"
    : undefined;
}

/** What PEFT is to be told of the base's tensors that come with an adapter. */
export interface ReplacedInPeft {
  /** In the order of the forward. */
  readonly tensors: readonly SafetensorsTensorData[];
  /** Which biases. */
  readonly bias: "none" | "all" | "lora_only";
  /** Modules that are whole, by their paths; null for none. */
  readonly modules: readonly string[] | null;
}

/**
 * The base's tensors that come with an adapter, for a file.
 *
 * @param beside Matrices that the adapter stands beside; undefined where it stands beside none, and biases are told as modules too
 */
export function replacedInPeft(
  config: ModelConfig,
  replaced: ReadonlyMap<string, Floats>,
  { beside, prefix }: {
    readonly beside?: ReadonlySet<string> | undefined;
    readonly prefix: string;
  },
): ReplacedInPeft {
  const own = weightsOf(config).filter(({ name }) => replaced.has(name));
  const isBeside = ({ name }: Weight) => beside?.has(name.replace(/bias$/, "weight")) === true;
  // Of a norm too: PEFT calls so what ends in "bias".
  const biases = beside ? own.filter(({ huggingFace }) => huggingFace.endsWith(".bias")) : [];
  const whole = own.filter((weight) => !biases.includes(weight));
  const tensors = own.map((weight): SafetensorsTensorData => {
    const values = replacedToFile(replaced.get(weight.name)!, weight);
    const { huggingFace } = weight;
    const deeper = huggingFace.endsWith(".bias") && isBeside(weight);
    return {
      name: prefix + (deeper ? huggingFace.replace(/bias$/, "base_layer.bias") : huggingFace),
      dtype: "F32",
      shape: shapeInFile(weight),
      bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    };
  });
  const paths = whole.map((weight) => modulePath(weight).replace(/\.bias$/, ""));
  const modules = [...new Set(paths)];
  return {
    tensors,
    bias: biases.length === 0 ? "none" : biases.every(isBeside) ? "lora_only" : "all",
    modules: modules.length === 0 ? null : modules,
  };
}
