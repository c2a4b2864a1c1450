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

/** Writes `config.json` and `model.safetensors`, all F32. */
export async function writeRandomFolder(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  seed = 1,
): Promise<void> {
  const random = randomNumbers(seed);
  const tensors = weightsOf(configFromHuggingFace(config)).map(
    ({ huggingFace, rows, columns, role, transposed }): SafetensorsTensorData => {
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
