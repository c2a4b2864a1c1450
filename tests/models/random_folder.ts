/**
 * Folders of small random models of any architecture: every weight that its configuration lists, the same on every run.
 *
 * @module
 */
import { join } from "@std/path";
import { configFromHuggingFace } from "../../models/mod.ts";
import { weightsOf } from "../../models/architectures.ts";
import { type SafetensorsTensorData, writeSafetensors } from "../../quant/mod.ts";
import { randomNormals, randomNumbers } from "../support/random_llama.ts";
import type { StoredLinear } from "./quantised_folder.ts";

/** Types of numbers in a folder. */
export type DenseType = "F32" | "F16" | "BF16";

/** What is otherwise in a folder. */
export interface RandomFolderOptions {
  /** Of the weights; default 1. */
  readonly seed?: number;
  /** A type that holds the numbers; default F32. */
  readonly numbers?: DenseType;
  /** The type that they have in the file; default F32. */
  readonly dtype?: DenseType;
  /** How a linear layer lies in the file, by what it is called there without `.weight`; undefined for F32. */
  readonly linear?: (
    module: string,
    rows: number,
    columns: number,
    seed: number,
  ) => StoredLinear | undefined;
}

/** The nearest numbers, or those next to zero, that a type holds. */
function heldBy(type: DenseType, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (type === "F16") return Float32Array.from(new Float16Array(values));
  if (type === "F32") return values;
  return new Float32Array(new Uint32Array(values.buffer).map((bits) => bits & 0xffff0000).buffer);
}

function bytesOf(type: DenseType, values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (type === "F32") return new Uint8Array(values.buffer);
  if (type === "F16") return new Uint8Array(new Float16Array(values).buffer);
  const bits = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
}

/** Writes `config.json` and `model.safetensors`, dense but for what `linear` makes. */
export async function writeRandomFolder(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  { seed = 1, linear, numbers = "F32", dtype = "F32" }: RandomFolderOptions = {},
): Promise<void> {
  const random = randomNumbers(seed);
  const tensors = weightsOf(configFromHuggingFace(config)).flatMap(
    (
      { huggingFace, rows, columns, role, transposed },
      at,
    ): SafetensorsTensorData | readonly SafetensorsTensorData[] => {
      const module = huggingFace.slice(0, -".weight".length);
      const stored = role === "matrix" ? linear?.(module, rows, columns, at) : undefined;
      if (stored) return stored.tensors;
      const isVector = role === "norm" || role === "bias";
      const deviation = role === "norm" ? 0.2 : role === "bias" ? 0.3 : columns ** -0.5;
      const values = randomNormals(rows * columns, deviation, random);
      if (role === "norm" && huggingFace.endsWith("weight")) {
        values.forEach((_, i) => values[i] += 1);
      }
      return {
        name: huggingFace,
        dtype,
        shape: isVector ? [columns] : transposed ? [columns, rows] : [rows, columns],
        bytes: bytesOf(dtype, heldBy(numbers, values)),
      };
    },
  );
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
  const stream = ReadableStream.from(writeSafetensors(tensors));
  await Deno.writeFile(join(folder, "model.safetensors"), stream);
}
