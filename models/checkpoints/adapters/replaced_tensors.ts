/**
 * Biases and whole modules of the base that an adapter's file contains in addition to the adapter: PEFT's `bias` and `modules_to_save`.
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

/** Prefix of tensor names in PEFT's files. */
export const PEFT_PREFIX = "base_model.model.";

/** The prefix for adapters without tensors next to modules, such as prefixes and prompts: PEFT then wraps the base only once. */
export const PEFT_PROMPT_PREFIX = "base_model.";

/** The possible names of a weight in a file. The bias of a module with an adapter next to it is one level deeper. */
function namesInFile(
  { huggingFace }: Weight,
  { base, prefix }: { readonly base: string; readonly prefix: string },
): readonly string[] {
  return [huggingFace, huggingFace.replace(`${base}.`, "")].flatMap((name) => [
    prefix + name,
    prefix + name.replace(/\.bias$/, ".base_layer.bias"),
  ]);
}

/** Tensors of a file that have not been read yet, by name. */
export interface TensorsToTake {
  /** Tensors that have not been taken. */
  readonly left: ReadonlyMap<string, unknown>;
  /** Returns the values of a tensor, and removes it from `left`. */
  readonly take: (name: string, shape: readonly number[]) => Promise<Floats>;
}

/**
 * Takes the base's tensors from an adapter's file. The result has their names in the model.
 *
 * @param prefix Prefix of their names in the file.
 */
export async function takeReplaced(
  config: ModelConfig,
  { left, take }: TensorsToTake,
  prefix: string,
): Promise<Map<string, Floats>> {
  const { base } = architectureOf(config).huggingFace;
  const replaced = new Map<string, Floats>();
  // The bias of RoBERTa's head has two names.
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

/** Converts a weight from its form in a folder to its form on the device. */
function replacedFromFile(values: Floats, weight: Weight): Floats {
  const { rows, columns, rotary, fromOne } = weight;
  if (fromOne) return values.map((value) => 1 + value);
  const own = weight.transposed && rows > 1 ? transposed(values, columns) : values;
  const heads = headsToReorder(weight, false);
  return heads > 0 ? reordered(own, rotaryRows(weight), heads, rotary!.interleaved) : own;
}

/** The inverse of {@linkcode replacedFromFile}. */
function replacedToFile(values: Floats, weight: Weight): Floats {
  const { rows, rotary, fromOne } = weight;
  if (fromOne) return values.map((value) => value - 1);
  const heads = headsToReorder(weight, false);
  const own = heads > 0
    ? reordered(values, rotaryRows(weight), heads, !rotary!.interleaved)
    : values;
  return weight.transposed && rows > 1 ? transposed(own, rows) : own;
}

/** Number of rows of all heads. They are the elements of a bias. */
function rotaryRows({ rows, columns }: Weight): number {
  return rows === 1 ? columns : rows;
}

/** Why an adapter cannot replace a tensor of the base in this model. Undefined if it can. */
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

/** How the tensors of the base that an adapter replaces are described for PEFT. */
export interface ReplacedInPeft {
  /** The tensors, in the order of the forward pass. */
  readonly tensors: readonly SafetensorsTensorData[];
  /** Which biases they include. */
  readonly bias: "none" | "all" | "lora_only";
  /** Paths of modules that are replaced as a whole. Null if there are none. */
  readonly modules: readonly string[] | null;
}

/**
 * Describes the tensors of the base that an adapter replaces, for a file.
 *
 * @param beside Matrices that have the adapter next to them. Undefined if the adapter has no tensors next to modules; biases are then listed as
 * modules too.
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
  // Including biases of norms: for PEFT, a bias is what has a name that ends in "bias".
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
