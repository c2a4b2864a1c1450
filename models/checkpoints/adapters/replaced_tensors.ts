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

/** The names by which a file may have a weight: a module that an adapter stands beside has its bias one level deeper. */
export function namesInFile({ huggingFace }: Weight, base: string): readonly string[] {
  return [huggingFace, huggingFace.replace(`${base}.`, "")].flatMap((name) => [
    PEFT_PREFIX + name,
    PEFT_PREFIX + name.replace(/\.bias$/, ".base_layer.bias"),
  ]);
}

/** The shape of a weight in a folder. */
export function shapeInFile({ rows, columns, transposed }: Weight): readonly number[] {
  if (rows === 1) return [columns];
  return transposed ? [columns, rows] : [rows, columns];
}

/** A weight of a folder as it lies on the device. */
export function replacedFromFile(values: Floats, weight: Weight): Floats {
  const { rows, columns, rotary, fromOne } = weight;
  if (fromOne) return values.map((value) => 1 + value);
  const own = weight.transposed && rows > 1 ? transposed(values, columns) : values;
  const heads = headsToReorder(weight, false);
  return heads > 0 ? reordered(own, rotaryRows(weight), heads, rotary!.interleaved) : own;
}

/** The way back. */
export function replacedToFile(values: Floats, weight: Weight): Floats {
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
export function whyNotReplaced(name: string, config: ModelConfig): string | undefined {
  const isTied = !weightsOf(config).some(({ role }) => role === "head");
  const embedding = weightsOf(config).find(({ role }) => role === "embedding")!;
  const names = namesInFile(embedding, architectureOf(config).huggingFace.base);
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
 * @param beside Matrices that the adapter stands beside
 */
export function replacedInPeft(
  config: ModelConfig,
  replaced: ReadonlyMap<string, Floats>,
  beside: ReadonlySet<string>,
): ReplacedInPeft {
  const own = weightsOf(config).filter(({ name }) => replaced.has(name));
  const isBeside = ({ name }: Weight) => beside.has(name.replace(/bias$/, "weight"));
  // Of a norm too: PEFT calls so what ends in "bias".
  const biases = own.filter(({ huggingFace }) => huggingFace.endsWith(".bias"));
  const whole = own.filter((weight) => !biases.includes(weight));
  const tensors = own.map((weight): SafetensorsTensorData => {
    const values = replacedToFile(replaced.get(weight.name)!, weight);
    const { huggingFace } = weight;
    const deeper = huggingFace.endsWith(".bias") && isBeside(weight);
    return {
      name: PEFT_PREFIX + (deeper ? huggingFace.replace(/bias$/, "base_layer.bias") : huggingFace),
      dtype: "F32",
      shape: shapeInFile(weight),
      bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    };
  });
  const modules = whole.map(modulePath);
  return {
    tensors,
    bias: biases.length === 0 ? "none" : biases.every(isBeside) ? "lora_only" : "all",
    modules: modules.length === 0 ? null : modules,
  };
}
