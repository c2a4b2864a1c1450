import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { openGpu } from "../../../kernels/mod.ts";
import {
  loadModel,
  type ModelSource,
  openModelSource,
  tokenizerJsonFromGguf,
  writeModel,
} from "../../../models/mod.ts";
import { llamaLogits, type LlamaShape } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { llamaMetadata } from "../../support/gguf_writer.ts";
import { llamaCppLogits, llamaCppMissing } from "../../support/llama_cpp.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { withTemp } from "../quantised_folder.ts";
import {
  huggingFaceConfig,
  randomTokens,
  safetensorsOf,
  smallShape,
  withFolder,
} from "../small_model.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape: LlamaShape = { ...smallShape, rope: "neox" };
const tokens = randomTokens(shape.vocabulary, 23, 4);
type Weights = Record<string, Float32Array<ArrayBuffer>>;

/** Weights of a Qwen2 model: biases with the given deviation on queries, keys and values. */
function randomQwen2(deviation: number): Weights {
  const random = randomNumbers(7);
  const weights: Weights = randomLlama(shape, { tied: true });
  for (const [name, matrix] of Object.entries(weights)) {
    if (!/\.[qkv]_proj\./.test(name)) continue;
    weights[name.replace("weight", "bias")] = randomNormals(
      matrix.length / shape.hidden,
      deviation,
      random,
    );
  }
  return weights;
}

async function writeQwen2(folder: string, weights: Weights, keys: object = {}): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const write = (name: string, value: unknown) =>
    Deno.writeTextFile(join(folder, name), JSON.stringify(value));
  await write("config.json", { ...huggingFaceConfig(shape, true), model_type: "qwen2", ...keys });
  const metadata = Object.entries(llamaMetadata(shape)).map(([key, { value }]) => [key, value]);
  const tokenizer = tokenizerJsonFromGguf(new Map(metadata as [string, unknown][]));
  await write("tokenizer.json", tokenizer.json);
  await write("tokenizer_config.json", tokenizer.config);
  await Deno.writeFile(join(folder, "model.safetensors"), safetensorsOf(shape, weights));
}

async function logitsAt(path: string): Promise<Float32Array> {
  using source = await openModelSource(path);
  using model = await loadModel(gpu, source);
  return await logitsOf(gpu, model, tokens);
}

const missing = await llamaCppMissing();
Deno.test(
  "the forward of a Qwen2 folder is the oracle's, and llama.cpp's of the file written from it" +
    (missing ? ` (skipped: ${missing})` : ""),
  { ignore: missing !== undefined },
  async () => {
    await withTemp(async (out) => {
      const weights = randomQwen2(0.5);
      const folder = join(out, "folder");
      await writeQwen2(folder, weights);
      const ours = await logitsAt(folder);
      const error = relativeL2(ours, llamaLogits(shape, weights, tokens));
      assert(error < 1e-5, `relative L2 of the logits is ${error}`);

      const file = join(out, "model.gguf");
      using source = await openModelSource(folder);
      await writeModel(source, file);
      assertEquals(await logitsAt(file), ours, "as read from the file");
      const theirs = await llamaCppLogits(file, tokens);
      const difference = relativeL2(ours, theirs.flatMap((row) => [...row]));
      assert(difference < 1e-5, `relative L2 to llama.cpp's logits is ${difference}`);

      const back = join(out, "back");
      using converted = await openModelSource(file);
      await writeModel(converted, back);
      assertEquals(await logitsAt(back), ours, "as read from the folder made of the file");
      using again = await openModelSource(back);
      assertEquals<object>(again.config, {
        ...source.config,
        rmsEpsilon: Math.fround(shape.epsilon), // as GGUF has it
      });
    });
  },
);

Deno.test("with biases of zeros it is Llama's, to the bit", async () => {
  await withTemp(async (out) => {
    await writeQwen2(out, randomQwen2(0));
    await withFolder(shape, randomLlama(shape, { tied: true }), async (llama) => {
      assertEquals(await logitsAt(out), await logitsAt(llama));
    });
  });
});

Deno.test("keys that its class has and Llama's has not", async () => {
  await withTemp(async (out) => {
    const weights = randomQwen2(0.5);
    const source = async (keys: object): Promise<ModelSource> => {
      await writeQwen2(out, weights, keys);
      return await openModelSource(out);
    };
    const window = { sliding_window: 100, max_position_embeddings: 400 };
    for (
      const [keys, context] of [
        [window, 400],
        [{ ...window, use_sliding_window: true }, 400], // windows begin at layer 28
        [{ ...window, use_sliding_window: true, max_window_layers: 1 }, 100],
        [{ ...window, use_sliding_window: false, max_window_layers: 1 }, 400],
        [{ max_position_embeddings: undefined }, 32768],
      ] as const
    ) {
      using read = await source(keys);
      assertEquals(read.config.context, context, JSON.stringify(keys));
    }
    await assertRejects(() => source({ num_key_value_heads: undefined }), RangeError, "32");
    using plain = await source({ qkv_bias: true });
    assertEquals(plain.config.keyValueHeads, shape.kvHeads);
  });
});
