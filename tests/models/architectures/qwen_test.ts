import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { loadModel, type ModelSource, openModelSource, writeModel } from "../../../models/mod.ts";
import { llamaLogits, type LlamaShape } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { llamaCppLogits, llamaCppMissing } from "../../support/llama_cpp.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { withTemp } from "../quantised_folder.ts";
import { type Weights, writeFolder } from "./written_folder.ts";
import { randomTokens, smallShape, withFolder } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const qwen2: LlamaShape = { ...smallShape, rope: "neox" };
const qwen3: LlamaShape = { ...qwen2, headSize: 32 };
const tokens = randomTokens(qwen2.vocabulary, 23, 4);

/** Weights of a Qwen2 model: biases with the given deviation on queries, keys and values. */
function randomQwen2(deviation: number): Weights {
  const random = randomNumbers(7);
  const weights: Weights = randomLlama(qwen2, { tied: true });
  for (const [name, matrix] of Object.entries(weights)) {
    if (!/\.[qkv]_proj\./.test(name)) continue;
    const bias = randomNormals(matrix.length / qwen2.hidden, deviation, random);
    weights[name.replace("weight", "bias")] = bias;
  }
  return weights;
}

/** Weights of a Qwen3 model: gains near 1 for the heads of queries and keys. */
function randomQwen3(): Weights {
  const random = randomNumbers(8);
  const weights: Weights = randomLlama(qwen3, { tied: true });
  for (const name of Object.keys(weights)) {
    if (!/\.[qk]_proj\./.test(name)) continue;
    const gain = randomNormals(qwen3.headSize!, 0.3, random).map((x) => 1 + x);
    weights[name.replace("_proj", "_norm")] = gain;
  }
  return weights;
}

async function logitsAt(path: string): Promise<Float32Array> {
  using source = await openModelSource(path);
  using model = await loadModel(gpu, source);
  return await logitsOf(gpu, model, tokens);
}

const missing = await llamaCppMissing();
for (
  const [shape, weights, keys] of [
    [qwen2, randomQwen2(0.5), { model_type: "qwen2" }],
    [qwen3, randomQwen3(), { model_type: "qwen3", head_dim: 32, attention_bias: false }],
  ] as const
) {
  const name = `the forward of a ${keys.model_type} folder is the oracle's, and llama.cpp's` +
    " of the file written from it" + (missing ? ` (skipped: ${missing})` : "");
  Deno.test(name, { ignore: missing !== undefined }, async () => {
    await withTemp(async (out) => {
      const folder = join(out, "folder");
      await writeFolder(folder, shape, weights, keys);
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
  });
}

Deno.test("qwen2 with biases of zeros is Llama's, to the bit", async () => {
  await withTemp(async (out) => {
    await writeFolder(out, qwen2, randomQwen2(0), { model_type: "qwen2" });
    await withFolder(qwen2, randomLlama(qwen2, { tied: true }), async (llama) => {
      assertEquals(await logitsAt(out), await logitsAt(llama));
    });
  });
});

Deno.test("qwen2: keys that its class has and Llama's has not", async () => {
  await withTemp(async (out) => {
    const weights = randomQwen2(0.5);
    const source = async (keys: object): Promise<ModelSource> => {
      await writeFolder(out, qwen2, weights, { model_type: "qwen2", ...keys });
      return await openModelSource(out);
    };
    const window = { sliding_window: 100, max_position_embeddings: 400 };
    for (
      const [keys, layers] of [
        [window, undefined],
        [{ ...window, use_sliding_window: true }, undefined], // windows begin at layer 28
        [{ ...window, use_sliding_window: true, max_window_layers: 1 }, [1]],
        [{ ...window, use_sliding_window: false, max_window_layers: 1 }, undefined],
      ] as const
    ) {
      using read = await source(keys);
      const { context, slidingWindow, slidingLayers } = read.config;
      const expected = [400, layers && 100, layers];
      assertEquals([context, slidingWindow, slidingLayers], expected, JSON.stringify(keys));
    }
    using long = await source({ max_position_embeddings: undefined });
    assertEquals(long.config.context, 32768);
    await assertRejects(() => source({ num_key_value_heads: undefined }), RangeError, "32");
    using plain = await source({ qkv_bias: true });
    assertEquals(plain.config.keyValueHeads, qwen2.kvHeads);
  });
});

Deno.test("qwen3: what its class takes where a file says nothing, and what it refuses", async () => {
  await withTemp(async (out) => {
    const source = async (keys: object): Promise<ModelSource> => {
      await writeFolder(out, qwen3, randomQwen3(), { model_type: "qwen3", head_dim: 32, ...keys });
      return await openModelSource(out);
    };
    // 128 wide heads, not hidden over heads: the tensors are not.
    await assertRejects(() => source({ head_dim: undefined }), RangeError, "512");
    await assertRejects(() => source({ attention_bias: true }), RangeError, "attention_bias");
    await assertRejects(() => source({ use_qk_norm: false }), RangeError, "use_qk_norm");
  });
});
