// A trained Llama in the clothes of its relatives: the same weights as Mistral, Qwen2 and Phi-3 have Llama's logits, and with what these add the oracle's.
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { loadModel, openModelSource } from "../../../models/mod.ts";
import { llamaLogits, type LlamaShape } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { readHuggingFaceFolder } from "../../support/hugging_face.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { exists, readStories, sharedData } from "../../support/shared_data.ts";
import { withTemp } from "../quantised_folder.ts";
import { type Weights, writeFolder } from "./written_folder.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const trained = sharedData("models/tinystories-656k");
const isHere = exists(trained);

/** Weights of a block joined as Phi-3 has them. */
function joined(weights: Weights, layers: number): Weights {
  const result = { ...weights };
  for (let layer = 0; layer < layers; layer++) {
    for (
      const [whole, parts] of [
        ["self_attn.qkv_proj", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]],
        ["mlp.gate_up_proj", ["mlp.gate_proj", "mlp.up_proj"]],
      ] as const
    ) {
      const names = parts.map((part) => `model.layers.${layer}.${part}.weight`);
      const rows = names.flatMap((name) => [...weights[name]]);
      for (const name of names) delete result[name];
      result[`model.layers.${layer}.${whole}.weight`] = Float32Array.from(rows);
    }
  }
  return result;
}

/** With biases on queries, keys and values. */
function biased(
  weights: Weights,
  hidden: number,
  bias: (part: string, length: number) => number[],
) {
  const result = { ...weights };
  for (const [name, matrix] of Object.entries(weights)) {
    const [, part] = /\.([qkv])_proj\./.exec(name) ?? [];
    if (part === undefined) continue;
    const values = bias(part, matrix.length / hidden);
    result[name.replace("weight", "bias")] = Float32Array.from(values);
  }
  return result;
}

Deno.test({
  name: "a trained Llama as Mistral, Qwen2 and Phi-3, and with scalings that scale nothing" +
    (isHere ? "" : ` (skipped, because ${trained} is not there)`),
  ignore: !isHere,
  async fn() {
    const { shape, weights: read } = await readHuggingFaceFolder(trained);
    // The file has the tied table as the head.
    const { "lm_head.weight": table, ...rest } = read as Weights;
    const weights = table ? { "model.embed_tokens.weight": table, ...rest } : rest;
    using source = await openModelSource(trained);
    const tokens = [...source.tokenizer!.encode(readStories()[0])].slice(0, 60);
    const logitsIn = async (its: Weights, keys: object, of: LlamaShape = shape) => {
      let found = new Float32Array();
      await withTemp(async (folder) => {
        await writeFolder(join(folder, "it"), of, its, keys);
        using source = await openModelSource(join(folder, "it"));
        using model = await loadModel(gpu, source);
        found = await logitsOf(gpu, model, tokens) as Float32Array<ArrayBuffer>;
      });
      return found;
    };
    using model = await loadModel(gpu, source);
    const llama = await logitsOf(gpu, model, tokens);
    assert(relativeL2(llama, llamaLogits(shape, weights, tokens)) < 1e-5);

    const mistral = { model_type: "mistral", sliding_window: null };
    assertEquals(await logitsIn(weights, mistral), llama, "Mistral without a window");
    assertEquals(await logitsIn(weights, { ...mistral, sliding_window: 60 }), llama, "a long one");
    const windowed = await logitsIn(weights, { ...mistral, sliding_window: 12 });
    assert(relativeL2(windowed, llamaLogits({ ...shape, window: 12 }, weights, tokens)) < 1e-5);
    assert(relativeL2(windowed, llama) > 0.01, "the window is no test");

    const zeros = biased(weights, shape.hidden, (_, length) => Array(length).fill(0));
    assertEquals(await logitsIn(zeros, { model_type: "qwen2" }), llama, "Qwen2 without biases");
    const random = randomNumbers(3);
    const values = biased(weights, shape.hidden, (_, n) => [...randomNormals(n, 0.3, random)]);
    const qwen = await logitsIn(values, { model_type: "qwen2" });
    assert(relativeL2(qwen, llamaLogits(shape, values, tokens)) < 1e-5);
    assert(relativeL2(qwen, llama) > 0.01, "the biases are no test");

    const phi = joined(weights, shape.layers);
    assertEquals(await logitsIn(phi, { model_type: "phi3" }), llama, "Phi-3");

    const original_max_position_embeddings = 512;
    for (
      const rope_scaling of [
        { rope_type: "linear", factor: 1 },
        { rope_type: "dynamic", factor: 2 },
        { rope_type: "yarn", factor: 1, original_max_position_embeddings },
        {
          rope_type: "llama3",
          factor: 1,
          low_freq_factor: 1,
          high_freq_factor: 4,
          original_max_position_embeddings,
        },
      ]
    ) {
      const scaled = await logitsIn(weights, { rope_scaling });
      assert(relativeL2(scaled, llama) < 1e-6, rope_scaling.rope_type);
    }
  },
});
