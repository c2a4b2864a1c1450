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

/** What is otherwise in a folder. */
export interface RandomFolderOptions {
  /** Of the weights; default 1. */
  readonly seed?: number;
  /** How a linear layer lies in the file, by what it is called there without `.weight`; undefined for F32. */
  readonly linear?: (
    module: string,
    rows: number,
    columns: number,
    seed: number,
  ) => StoredLinear | undefined;
}

/** Writes `config.json` and `model.safetensors`, all F32 but for what `linear` makes. */
export async function writeRandomFolder(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  { seed = 1, linear }: RandomFolderOptions = {},
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
        dtype: "F32",
        shape: isVector ? [columns] : transposed ? [columns, rows] : [rows, columns],
        bytes: new Uint8Array(values.buffer),
      };
    },
  );
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
  const stream = ReadableStream.from(writeSafetensors(tensors));
  await Deno.writeFile(join(folder, "model.safetensors"), stream);
}
