/**
 * Damaged models, opened and loaded as a user's would be: a typed error or a model that works, soon and without much memory.
 */
import { assert, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { type Gpu, openGpu } from "../../kernels/mod.ts";
import { loadModel, openModelSource } from "../../models/mod.ts";
import { huggingFaceName } from "../reference/llama.ts";
import { bytesSource, readGguf, writeSafetensors } from "../../quant/mod.ts";
import { evaluate } from "../../train/mod.ts";
import { mutated, mutatedText } from "../models/tokenizers/tokenizer_mutate.ts";
import { collect } from "../quant/collect.ts";
import { mutate } from "../quant/mutations.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { tinyExamples, tinyGguf, tinyShape } from "../train/tiny_model.ts";

const RUNS = 400;
/** Many times what the model takes. */
const MOST_BYTES = 16 * 2 ** 20;

const tokenizerJson = {
  version: "1.0",
  added_tokens: [{ id: 0, content: "<s>", special: true }],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel" },
  model: {
    type: "BPE",
    vocab: Object.fromEntries(
      ["<s>", ..."abcdefghijklmnopqrstuvwxyz", "Ġ", "ab", "Ġa"].map((token, i) => [token, i]),
    ),
    merges: ["a b", "Ġ a"],
  },
};

const configJson = {
  model_type: "llama",
  hidden_size: tinyShape.hidden,
  intermediate_size: tinyShape.feedForward,
  num_hidden_layers: tinyShape.layers,
  num_attention_heads: tinyShape.heads,
  num_key_value_heads: tinyShape.kvHeads,
  vocab_size: tinyShape.vocabulary,
  rms_norm_eps: tinyShape.epsilon,
  max_position_embeddings: 32,
  rope_theta: tinyShape.ropeBase,
  rope_scaling: { rope_type: "linear", factor: 2 },
  tie_word_embeddings: false,
  hidden_act: "silu",
};

const indexJson = { metadata: {}, weight_map: { "model.norm.weight": "model.safetensors" } };

/** The tiny model's tensors as a safetensors file. */
async function safetensors(gguf: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { tensors } = await readGguf(bytesSource(gguf));
  return await collect(writeSafetensors(tensors.map((tensor) => ({
    name: huggingFaceName(tensor.name),
    dtype: "F32" as const,
    shape: [...tensor.dimensions].reverse(),
    bytes: gguf.subarray(tensor.offset, tensor.offset + tensor.byteLength),
  }))));
}

/** Opens, loads and evaluates; says what came of it. */
async function attempt(gpu: Gpu, path: string, evaluates: boolean): Promise<string> {
  using source = await openModelSource(path);
  using model = await loadModel(gpu, source);
  if (evaluates) await evaluate(model, tinyExamples(2), { objective: "classification" });
  return "works";
}

/** Tries every damaged copy that `damage` writes and checks what comes of it. */
async function survive(
  gpu: Gpu,
  path: string,
  damage: (seed: number) => Promise<void>,
): Promise<void> {
  const counts: Record<string, number> = {};
  for (let seed = 0; seed < RUNS; seed++) {
    await damage(seed);
    const begun = performance.now();
    let came: string;
    try {
      came = await attempt(gpu, path, seed % 8 === 0);
    } catch (error) {
      const typed = error instanceof SyntaxError || error instanceof RangeError ||
        error instanceof TypeError || error instanceof Deno.errors.NotFound;
      assert(typed, `seed ${seed}: ${error instanceof Error ? error.stack : error}`);
      // What the engine itself says of a value that nobody checked.
      const unchecked = /properties of (null|undefined)|is not (iterable|a function)|convert/;
      assert(!unchecked.test(error.message), `seed ${seed}: ${error.stack}`);
      came = error.name;
    }
    counts[came] = (counts[came] ?? 0) + 1;
    const took = performance.now() - begun;
    assert(took < 3000, `seed ${seed}: ${took} ms`);
    assert(gpu.memory.total === 0, `seed ${seed}: ${gpu.memory.total} bytes were not freed`);
    assert(gpu.memory.peakTotal < MOST_BYTES, `seed ${seed}: ${gpu.memory.peakTotal} bytes`);
  }
  const { works = 0 } = counts;
  assert(works > 0 && works < RUNS - 50, JSON.stringify(counts));
}

Deno.test(`damaged models: ${RUNS} GGUF files`, async () => {
  using gpu = await openGpu();
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "model.gguf");
    const bytes = tinyGguf();
    const { dataOffset } = await readGguf(bytesSource(bytes));
    await Deno.writeFile(path, bytes);
    assert(await attempt(gpu, path, true) === "works");
    await survive(gpu, path, (seed) => Deno.writeFile(path, mutate(bytes, dataOffset, seed)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test(`damaged models: ${RUNS} Hugging Face folders`, async () => {
  using gpu = await openGpu();
  const folder = await Deno.makeTempDir();
  try {
    const write = (name: string, content: Uint8Array | string) =>
      content instanceof Uint8Array
        ? Deno.writeFile(join(folder, name), content)
        : Deno.writeTextFile(join(folder, name), content);
    const weights = await safetensors(tinyGguf());
    const header = 8 + new DataView(weights.buffer).getUint32(0, true);
    const json = { "config.json": configJson, "tokenizer.json": tokenizerJson };
    const { tensors: names } = await readGguf(bytesSource(tinyGguf()));
    for (const { name } of names) {
      const key = huggingFaceName(name);
      Object.assign(indexJson.weight_map, { [key]: "model.safetensors" });
    }
    const whole = async () => {
      await write("model.safetensors", weights);
      await write("model.safetensors.index.json", JSON.stringify(indexJson));
      for (const [name, value] of Object.entries(json)) await write(name, JSON.stringify(value));
    };
    await whole();
    assert(await attempt(gpu, folder, true) === "works");
    await survive(gpu, folder, async (seed) => {
      await whole();
      const next = randomNumbers(seed);
      const turn = Math.floor(seed / 8) % 5;
      if (turn === 0) return await write("model.safetensors", mutate(weights, header, seed));
      const name = ["config.json", "config.json", "tokenizer.json", "model.safetensors.index.json"][
        turn - 1
      ];
      const value = name in json ? json[name as keyof typeof json] : indexJson;
      await write(
        name,
        seed % 4 === 0
          ? mutatedText(JSON.stringify(value), next)
          : JSON.stringify(mutated(value, next)),
      );
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("damaged models: counts and names that lie are refused at once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const gguf = tinyGguf();
    const key = new TextEncoder().encode("llama.block_count");
    const at = gguf.findIndex((_, i) => key.every((byte, j) => gguf[i + j] === byte));
    new DataView(gguf.buffer).setUint32(at + key.length + 4, 2 ** 31 - 1, true);
    await Deno.writeFile(join(folder, "lies.gguf"), gguf);
    await assertRejects(() => openModelSource(join(folder, "lies.gguf")), RangeError, "2147483647");

    await Deno.writeFile(join(folder, "model.safetensors"), await safetensors(tinyGguf()));
    const write = (name: string, value: unknown) =>
      Deno.writeTextFile(join(folder, name), JSON.stringify(value));
    await write("config.json", { ...configJson, num_hidden_layers: 2 ** 31 - 1 });
    await assertRejects(() => openModelSource(folder), RangeError, "2147483647");
    await write("config.json", configJson);
    for (const index of [null, 5, { weight_map: { a: "x".repeat(5000) } }, { weight_map: null }]) {
      await write("model.safetensors.index.json", index);
      await assertRejects(() => openModelSource(folder), SyntaxError);
    }
    for (const name of ["../model.safetensors", "a/b", "..", "a\0b"]) {
      await write("model.safetensors.index.json", { weight_map: { a: name } });
      await assertRejects(() => openModelSource(folder), SyntaxError, "its index names the file");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
