// Mistral: the forward of Llama with a sliding window, in training, evaluation and generation; and the windows of its relatives.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import {
  fingerprint,
  loadModel,
  type ModelSource,
  openModelSource,
  promptMemory,
  writeModel,
} from "../../../models/mod.ts";
import { llamaLogits, type LlamaShape } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { llamaCppLogits, llamaCppMissing } from "../../support/llama_cpp.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { withTemp } from "../quantised_folder.ts";
import { randomTokens, smallShape, weightsOf, withFolder } from "../small_model.ts";
import {
  assertDerivatives,
  assertGenerates,
  assertLikeliest,
  assertLosses,
  assertMemory,
  assertTrainsAndReturns,
  greedyTokens,
  type Oracle,
} from "./proofs.ts";
import { type Weights, writeFolder } from "./written_folder.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const window = 5;
const shape: LlamaShape = { ...smallShape, rope: "neox", window };
const tokens = randomTokens(shape.vocabulary, 23, 4);
const weights: Weights = randomLlama(shape);
const keys = { model_type: "mistral", sliding_window: window };

const oracleOf = (of: LlamaShape): Oracle => ({
  vocabulary: of.vocabulary,
  logits: (weights, tokens) => llamaLogits(of, weights, tokens),
});
const oracle = oracleOf(shape);

/** A folder's source for the time of `body`. */
async function withSource(
  of: LlamaShape,
  keys: object,
  body: (source: ModelSource, folder: string) => Promise<void>,
  its: Weights = randomLlama(of),
): Promise<void> {
  await withTemp(async (folder) => {
    await writeFolder(join(folder, "base"), of, its, keys);
    using source = await openModelSource(join(folder, "base"));
    await body(source, folder);
  });
}

async function logitsFrom(source: ModelSource): Promise<Float32Array> {
  using model = await loadModel(gpu, source);
  return await logitsOf(gpu, model, tokens);
}

Deno.test("the forward of a Mistral folder with a window is the oracle's; without one it is Llama's, to the bit", async () => {
  await withSource(shape, keys, async (source) => {
    const ours = await logitsFrom(source);
    const error = relativeL2(ours, llamaLogits(shape, weights, tokens));
    assert(error < 1e-5, `relative L2 of the logits is ${error}`);
    await withFolder(shape, weights, async (folder) => {
      using llama = await openModelSource(folder);
      const plain = await logitsFrom(llama);
      assertEquals(ours.subarray(0, window), plain.subarray(0, window));
      assert(relativeL2(ours, plain) > 0.05, "the window is no test");
      await withSource(shape, { ...keys, sliding_window: null }, async (source) => {
        assertEquals(await logitsFrom(source), plain);
      });
    });
  });
});

const llamas: Record<string, [LlamaShape, object]> = {
  "Mistral with windows in some layers": [
    { ...shape, slides: [1] },
    { ...keys, layer_types: ["full_attention", "sliding_attention"] },
  ],
  "Qwen2 with windows from a layer on": [
    { ...shape, slides: [1] },
    {
      model_type: "qwen2",
      sliding_window: window,
      use_sliding_window: true,
      max_window_layers: 1,
    },
  ],
};
for (const [name, [of, keys]] of Object.entries(llamas)) {
  Deno.test(`${name}: as the oracle, and so it is when it is written as a folder and as GGUF`, async () => {
    const random = randomNumbers(7);
    const its: Weights = { ...weights };
    for (const [name, matrix] of Object.entries(weights)) {
      if (!("use_sliding_window" in keys) || !/\.[qkv]_proj\./.test(name)) continue;
      const bias = randomNormals(matrix.length / shape.hidden, 0.5, random);
      its[name.replace("weight", "bias")] = bias;
    }
    await withSource(of, keys, async (source, folder) => {
      const ours = await logitsFrom(source);
      const error = relativeL2(ours, llamaLogits(of, its, tokens));
      assert(error < 1e-5, `relative L2 of the logits is ${error}`);
      await writeModel(source, join(folder, "m.gguf"));
      using file = await openModelSource(join(folder, "m.gguf"));
      const { slidingWindow, slidingLayers } = file.config;
      assertEquals([slidingWindow, slidingLayers], [window, [1]]);
      assert(relativeL2(await logitsFrom(file), ours) < 1e-6);
      await writeModel(file, join(folder, "own"));
      using own = await openModelSource(join(folder, "own"));
      assertEquals(own.config.slidingLayers, [1]);
      assertEquals(own.config.architecture, source.config.architecture);
      assert(relativeL2(await logitsFrom(own), ours) < 1e-6);
    }, its);
  });
}

const missing = await llamaCppMissing();
Deno.test(
  `llama.cpp's logits of the file written from a Mistral folder are ours, up to its window${
    missing ? ` (skipped: ${missing})` : ""
  }`,
  { ignore: missing !== undefined },
  async () => {
    const whole = { ...shape, window: tokens.length };
    await withSource(whole, { ...keys, sliding_window: tokens.length }, async (source, folder) => {
      await writeModel(source, join(folder, "m.gguf"));
      const theirs = await llamaCppLogits(join(folder, "m.gguf"), tokens);
      const difference = relativeL2(await logitsFrom(source), theirs.flatMap((row) => [...row]));
      assert(difference < 1e-5, `relative L2 to llama.cpp's logits is ${difference}`);
    });
  },
);

Deno.test("losses of text and of candidates behind a shared prompt see the window, and the derivative does", async () => {
  await withSource(shape, keys, (source) => assertLosses(gpu, source, oracle));
  const one = { ...shape, layers: 1 };
  await withSource(one, keys, async (source) => {
    await assertDerivatives(gpu, source, oracleOf(one), { format: "int4_g32" });
    await assertGenerates(gpu, source, oracleOf(one));
  });
});

Deno.test("a Mistral is quantised, trained, folded, written and read again, as a folder and as GGUF, with its window; memory is as planned", async () => {
  await withSource(shape, keys, async (source, folder) => {
    const path = (name: string) => join(folder, name);
    // GGUF files have the pairs of a head side by side.
    const kinds = [["int4_g32", "", "neox"], ["Q4_0", ".gguf", "norm"]] as const;
    for (const [format, end, rope] of kinds) {
      const [small, tuned] = [path(`small${end}`), path(`tuned${end}`)];
      const its = oracleOf({ ...shape, rope });
      await assertTrainsAndReturns(gpu, source, its, { format, small, tuned });
      using read = await openModelSource(tuned);
      assertEquals([read.config.slidingWindow, read.config.context], [window, 512]);
    }
    const json = JSON.parse(await Deno.readTextFile(path("tuned/config.json")));
    assertEquals([json.model_type, json.sliding_window], ["mistral", window]);
    assertEquals(json.max_position_embeddings, 512);
    await assertMemory(gpu, source);
  });
});

Deno.test("a cache of keys and values that rolls holds little, and tokens are the oracle's", async () => {
  const one = { ...shape, layers: 1, window: 40 };
  const long = { ...keys, max_position_embeddings: 4096 };
  const prompt = randomTokens(one.vocabulary, 640, 2);
  const held: number[] = [];
  for (const sliding_window of [null, 40]) {
    await withSource(one, { ...long, sliding_window }, async (source) => {
      const its = await weightsOf(source);
      using model = await loadModel(gpu, source, { maxPositions: 1400 });
      const before = gpu.memory.current.activations;
      using memory = promptMemory(model);
      const first = await greedyTokens(model, prompt, { maxTokens: 6, memory });
      held.push(gpu.memory.current.activations - before);
      if (sliding_window === null) return;
      assertLikeliest(oracleOf(one), its, prompt, first);
      // Taken up again near its end, and far from it: from where its keys are gone it is read anew.
      for (const shared of [640, 300, 64, 0]) {
        const next = [...prompt.slice(0, shared), ...randomTokens(one.vocabulary, 70, shared)];
        const tokens = await greedyTokens(model, next, { maxTokens: 4, memory });
        assertEquals(tokens, await greedyTokens(model, next, { maxTokens: 4 }), `${shared}`);
      }
      const longer = [...prompt, ...randomTokens(one.vocabulary, 600, 9)];
      const tokens = await greedyTokens(model, longer, { maxTokens: 2, memory });
      assertEquals(tokens, await greedyTokens(model, longer, { maxTokens: 2 }));
      assertLikeliest(oracleOf(one), its, longer.slice(-400), tokens.slice(0, 1));
    });
  }
  const rowBytes = 2 * one.kvHeads * (one.hidden / one.heads) * 4;
  assertEquals(held[0] - held[1], (1400 - 40 - 512) * rowBytes);
});

Deno.test("a window of all layers is no other base for ledgers than the context that it was once; of some layers it is", async () => {
  const found: string[] = [];
  for (
    const own of [
      { model_type: "llama", max_position_embeddings: 128 },
      { ...keys, sliding_window: 128 },
      { ...keys, sliding_window: 128, layer_types: ["full_attention", "sliding_attention"] },
    ]
  ) {
    await withSource(shape, own, async (source) => {
      assertEquals(Object.keys(await weightsOf(source)).length, source.tensors.size);
      found.push(await fingerprint(source));
    });
  }
  assertEquals(found[0], found[1]);
  assertNotEquals(found[0], found[2]);
});
