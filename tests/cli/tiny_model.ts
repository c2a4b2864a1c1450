/**
 * A tiny random model and a task for it, in a folder.
 *
 * @module
 */
import { join } from "@std/path";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../support/gguf_writer.ts";
import { permuteHeads, randomLlama, randomNumbers, TINY_LLAMA } from "../support/random_llama.ts";

/** Writes `model.gguf`, `train.jsonl`, `dev.jsonl` and `config.yaml` into a folder; paths in them are absolute. */
export async function writeTinyTask(
  folder: string,
  { layers = TINY_LLAMA.layers }: { readonly layers?: number } = {},
): Promise<{ model: string; config: string }> {
  const shape = { ...TINY_LLAMA, layers };
  const model = join(folder, "model.gguf");
  const weights = permuteHeads(shape, randomLlama(shape, { seed: 5, tied: true }));
  await Deno.writeFile(
    model,
    ggufBytes(llamaMetadata(shape, 64), llamaF32Tensors(shape, weights)),
  );
  const random = randomNumbers(7);
  const rows = (count: number): string =>
    Array.from({ length: count }, () => {
      const label = random() < 0.5 ? 0 : 1;
      return JSON.stringify({ text: `${label ? "ab" : "cd"}${Math.floor(random() * 10)}`, label });
    }).join("\n");
  await Deno.writeTextFile(join(folder, "train.jsonl"), rows(24));
  await Deno.writeTextFile(join(folder, "dev.jsonl"), rows(8));
  const config = join(folder, "tiny.yaml");
  await Deno.writeTextFile(
    config,
    `model: ${model}
quantize: { format: Q4_0 }
task: { name: tiny, template: "{text}{label}", labels: { "0": "x", "1": "y" } }
data: { folder: ${folder}, train: train.jsonl, validation: dev.jsonl }
batch_size: 4
steps: 6
evaluate_every: 3
output: ${join(folder, "run")}
`,
  );
  return { model, config };
}
