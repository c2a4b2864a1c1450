import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import {
  Evaluator,
  fingerprint,
  loadModel,
  openModelSource,
  packBatch,
  quantizedSource,
} from "../../../models/mod.ts";
import { ggufModelSource } from "../../../models/checkpoints/gguf/open_gguf.ts";
import { huggingFaceModelSource } from "../../../models/checkpoints/hugging_face/open_folder.ts";
import { bytesSource } from "../../../quant/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import {
  f32Tensor,
  ggufBytes,
  type GgufTensor,
  llamaF32Tensors,
  llamaMetadata,
} from "../../support/gguf_writer.ts";
import { randomLlama } from "../../support/random_llama.ts";
import {
  ggufInMemory,
  ggufOf,
  huggingFaceConfig,
  smallShape,
  textExamples,
  weightsOf,
  withFolder,
} from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = { ...smallShape, layers: 1 };
const weights = randomLlama(shape);
const neox = { ...shape, rope: "neox" as const };

Deno.test("a folder in shards is the folder in one file", async () => {
  const losses: number[] = [];
  for (const shards of [1, 3]) {
    await withFolder(neox, weights, async (folder) => {
      using source = await openModelSource(folder);
      assertEquals(source.tensors.size, 12);
      using model = await loadModel(gpu, source);
      using evaluator = new Evaluator(model);
      const batch = packBatch(textExamples(shape.vocabulary, [12]), "language-modelling", 64);
      losses.push((await evaluator.run([batch]))[0].loss);
    }, { shards });
  }
  assertEquals(losses[0], losses[1]);
});

Deno.test("a GGUF file on disk is opened by its path and read as it was written", async () => {
  const file = await Deno.makeTempFile({ suffix: ".gguf" });
  try {
    await Deno.writeFile(file, ggufOf(shape, weights));
    using source = await openModelSource(file);
    const found = await weightsOf(source);
    assertEquals([...found["blk.0.ffn_down.weight"]], [
      ...weights["model.layers.0.mlp.down_proj.weight"],
    ]);
    assertEquals(source.gguf?.source.name, file);
    assert(source.tokenizer !== undefined);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("an embedding table under the head's name serves as both", async () => {
  const { "model.embed_tokens.weight": table, ...rest } = randomLlama(neox, { tied: true });
  await withFolder(neox, { ...rest, "lm_head.weight": table }, async (folder) => {
    using source = await huggingFaceModelSource(folder);
    assertEquals(source.config.tiedHead, true);
    assert(!source.tensors.has("output.weight"));
    assertEquals([...(await weightsOf(source))["token_embd.weight"]], [...table]);
  }, { tied: true });
});

Deno.test("a model that lacks a tensor, or has one of another shape, names it", async () => {
  const tensors = llamaF32Tensors(shape, weights);
  const open = (changed: Record<string, GgufTensor>) =>
    ggufModelSource(bytesSource(ggufBytes(llamaMetadata(shape), changed), "broken.gguf"));
  for (const name of ["token_embd.weight", "blk.0.attn_k.weight", "output_norm.weight"]) {
    const { [name]: _, ...rest } = tensors;
    await assertRejects(
      () => open(rest),
      RangeError,
      `Cannot load "broken.gguf": it has no tensor "${name}"`,
    );
  }
  const swapped = { ...tensors["blk.0.ffn_up.weight"], dimensions: [160, 96] };
  await assertRejects(
    () => open({ ...tensors, "blk.0.ffn_up.weight": swapped }),
    RangeError,
    'Cannot load tensor "blk.0.ffn_up.weight": its shape is 160 x 96, expected 96 x 160',
  );
  const { "model.layers.0.mlp.up_proj.weight": up, ...rest } = weights;
  await withFolder(neox, rest, async (folder) => {
    await assertRejects(
      () => huggingFaceModelSource(folder),
      RangeError,
      'it has no tensor "model.layers.0.mlp.up_proj.weight"',
    );
  });
  const short = { ...weights, "model.layers.0.mlp.up_proj.weight": up.slice(0, 96 * 159) };
  await withFolder(neox, short, async (folder) => {
    await assertRejects(
      () => huggingFaceModelSource(folder),
      RangeError,
      'Cannot load tensor "model.layers.0.mlp.up_proj.weight": its shape is [159,96], expected [160, 96] by config.json',
    );
  });
});

Deno.test("what the architecture has no place for is refused by name, not left out", async () => {
  const tensors = llamaF32Tensors(shape, weights);
  const open = (extra: Record<string, GgufTensor>) =>
    ggufModelSource(bytesSource(ggufBytes(llamaMetadata(shape), { ...tensors, ...extra })));
  const zeros = f32Tensor(new Float32Array(96), [96]);
  const ones = f32Tensor(new Float32Array(96).fill(1), [96]);
  for (const name of ["blk.0.attn_q.bias", "blk.0.attn_q.scale", "blk.7.attn_norm.weight"]) {
    await assertRejects(
      () => open({ [name]: ones }),
      RangeError,
      `Cannot load tensor "${name}": architecture "llama" has no place for it`,
    );
  }
  // Biases of zeros change nothing, tables of rotary frequencies are made anew.
  using plain = await open({ "blk.0.attn_q.bias": zeros, "blk.0.attn_rot_embd.weight": ones });
  assertEquals([...plain.tensors.keys()].sort(), Object.keys(tensors).sort());
  const bias = "model.layers.0.self_attn.q_proj.bias";
  await withFolder(neox, { ...weights, [bias]: new Float32Array(96).fill(1) }, async (folder) => {
    await assertRejects(() => huggingFaceModelSource(folder), RangeError, `tensor "${bias}"`);
  });
  await withFolder(neox, { ...weights, [bias]: new Float32Array(96) }, async (folder) => {
    using folded = await huggingFaceModelSource(folder);
    assertEquals(folded.tensors.size, plain.tensors.size);
  });
});

Deno.test("configurations of other models are refused by the value that is at fault", async () => {
  const changes: [Record<string, unknown>, string][] = [
    [{ model_type: "bloom" }, 'model_type "bloom" is not supported'],
    [{ hidden_act: "gelu" }, 'hidden_act "gelu"'],
    [{ attention_bias: true }, "biases"],
    [{ num_key_value_heads: 3 }, "4 heads are not a multiple of 3"],
    [{ num_hidden_layers: 0 }, '"num_hidden_layers" is 0'],
    [{ hidden_size: 97 }, "head_dim"],
    [{ rope_theta: "x" }, '"rope_theta" is "x"'],
    [{ rope_scaling: { rope_type: "yarn" } }, 'rope_scaling "yarn"'],
    [{ quantization_config: { quant_method: "exl2" } }, 'quantization method "exl2"'],
  ];
  await withFolder(neox, weights, async (folder) => {
    for (const [change, message] of changes) {
      const config = { ...huggingFaceConfig(neox, false), ...change };
      await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
      await assertRejects(() => huggingFaceModelSource(folder), RangeError, message);
    }
    await Deno.writeTextFile(join(folder, "config.json"), "{");
    await assertRejects(() => huggingFaceModelSource(folder), SyntaxError, "config.json");
  });
});

Deno.test("a model_type that is not known: the message says what the nearest architecture lacks", async () => {
  const refused = async (more: Record<string, Float32Array>, keys: object, but?: string) => {
    const { [but ?? ""]: _, ...rest } = weights as Record<string, Float32Array<ArrayBuffer>>;
    let message = "";
    await withFolder(neox, { ...rest, ...more } as typeof weights, async (folder) => {
      const config = { ...huggingFaceConfig(neox, false), model_type: "olmo", ...keys };
      await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
      const error = await assertRejects(() => huggingFaceModelSource(folder), RangeError);
      assertStringIncludes(error.message, 'model_type "olmo" is not supported; expected one of');
      message = error.message;
    });
    return message;
  };
  assertStringIncludes(await refused({}, {}), "are those of llama: if it computes as that one");
  const sinks = Object.fromEntries(
    Array.from(
      { length: neox.layers },
      (_, i) => [`model.layers.${i}.self_attn.sinks`, new Float32Array(neox.hidden).fill(1)],
    ),
  );
  const message = await refused(sinks, { clip_qkv: 8, new_key: 1 }, "model.norm.weight");
  for (
    const part of [
      "The nearest is llama, which has no place for",
      '"model.layers.N.self_attn.sinks"',
      'needs "model.norm.weight", which are not there',
      'does not compute what "clip_qkv", "new_key" of its config.json say',
    ]
  ) assertStringIncludes(message, part);
  // Queries and keys with norms are Qwen3's.
  const norms = Object.fromEntries(
    ["q", "k"].flatMap((it) =>
      Array.from(
        { length: neox.layers },
        (_, i) => [`model.layers.${i}.self_attn.${it}_norm.weight`, new Float32Array(24).fill(1)],
      )
    ),
  );
  assertStringIncludes(await refused(norms, {}), "those of qwen3");
});

Deno.test("an index cannot name files outside its folder, nor files that are not there", async () => {
  await withFolder(neox, weights, async (folder) => {
    const index = join(folder, "model.safetensors.index.json");
    for (const name of ["../model.safetensors", "/etc/passwd", "..", 7]) {
      await Deno.writeTextFile(index, JSON.stringify({ weight_map: { a: name } }));
      await assertRejects(
        () => huggingFaceModelSource(folder),
        SyntaxError,
        `its index names the file ${JSON.stringify(name)}`,
      );
    }
    await Deno.writeTextFile(index, JSON.stringify({ weight_map: { a: "gone.safetensors" } }));
    {
      // As transformers: a whole file comes before an index.
      using source = await huggingFaceModelSource(folder);
      assert(source.notes?.some((note) => note.includes("left over")), String(source.notes));
    }
    await Deno.writeTextFile(index, "[]");
    await assertRejects(() => huggingFaceModelSource(folder), SyntaxError, "no weight_map");
    await Deno.writeTextFile(index, JSON.stringify({ weight_map: { a: "gone.safetensors" } }));
    await Deno.remove(join(folder, "model.safetensors"));
    await assertRejects(
      () => huggingFaceModelSource(folder),
      Deno.errors.NotFound,
      "gone.safetensors",
    );
  });
});

Deno.test("a truncated file is refused before anything is loaded", async () => {
  const bytes = ggufOf(shape, weights);
  const cut = bytes.slice(0, bytes.length - 5000);
  const error = await assertRejects(() => ggufModelSource(bytesSource(cut, "cut.gguf")));
  assert(error instanceof RangeError || error instanceof SyntaxError, String(error));
  assert(error.message.includes("cut.gguf") || error.message.includes("beyond"), error.message);
});

Deno.test("the fingerprint tells bases apart, formats and constants included", async () => {
  using source = await ggufInMemory(shape, weights);
  using again = await ggufInMemory(shape, weights);
  const base = await fingerprint(source);
  assertEquals(await fingerprint(again), base);
  using other = await ggufInMemory(shape, randomLlama(shape, { seed: 2 }));
  using warm = await ggufInMemory({ ...shape, ropeBase: 20000 }, weights);
  const quantised = quantizedSource(again, { format: "Q4_0" });
  const prints = [
    base,
    ...await Promise.all([other, warm, quantised].map((it) => fingerprint(it))),
  ];
  assertEquals(new Set(prints).size, 4);
});

Deno.test("loading reports every tensor, and stops when told to, freeing what it took", async () => {
  using source = await ggufInMemory(shape, weights);
  const before = gpu.memory.total;
  const seen: string[] = [];
  {
    using model = await loadModel(gpu, source, { onProgress: ({ tensor }) => seen.push(tensor) });
    assertEquals(seen, [...model.tensors.keys()]);
    assertEquals(model.formats.get("blk.0.attn_q.weight"), "F32");
  }
  assertEquals(gpu.memory.total, before);
  const controller = new AbortController();
  await assertRejects(
    () =>
      loadModel(gpu, source, {
        signal: controller.signal,
        onProgress: ({ done }) => done === 3 && controller.abort(),
      }),
    DOMException,
  );
  assertEquals(gpu.memory.total, before);
});
