/**
 * Folders of small models that llama.cpp takes when they are written as GGUF: with a tokenizer.
 *
 * @module
 */
import { join } from "@std/path";
import { tokenizerJsonFromGguf } from "../../../models/mod.ts";
import type { LlamaShape } from "../../reference/llama.ts";
import { llamaMetadata } from "../../support/gguf_writer.ts";
import { huggingFaceConfig, safetensorsOf } from "../small_model.ts";

/** Weights by their names in a folder. */
export type Weights = Record<string, Float32Array<ArrayBuffer>>;

/** Writes a folder; the head is tied when the weights have none. `keys` are set in `config.json`. */
export async function writeFolder(
  folder: string,
  shape: LlamaShape,
  weights: Weights,
  keys: object,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const write = (name: string, value: unknown) =>
    Deno.writeTextFile(join(folder, name), JSON.stringify(value));
  const tied = weights["lm_head.weight"] === undefined;
  await write("config.json", { ...huggingFaceConfig(shape, tied), ...keys });
  await writeTokenizer(folder, shape);
  await Deno.writeFile(join(folder, "model.safetensors"), safetensorsOf(shape, weights));
}

/** Writes a tokenizer of a shape's vocabulary. */
export async function writeTokenizer(
  folder: string,
  shape: Parameters<typeof llamaMetadata>[0],
): Promise<void> {
  const write = (name: string, value: unknown) =>
    Deno.writeTextFile(join(folder, name), JSON.stringify(value));
  const metadata = Object.entries(llamaMetadata(shape)).map(([key, { value }]) => [key, value]);
  const tokenizer = tokenizerJsonFromGguf(new Map(metadata as [string, unknown][]));
  await write("tokenizer.json", tokenizer.json);
  await write("tokenizer_config.json", tokenizer.config);
}
