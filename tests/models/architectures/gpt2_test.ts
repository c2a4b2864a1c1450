// GPT-2 against the f64 oracle of OPT, of which it is a special case; llama.cpp; and a real model with the values of its own forward.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  calibratedSource,
  configFromHuggingFace,
  Evaluator,
  loadModel,
  type ModelSource,
  openModelSource,
  packBatch,
  quantizedSource,
  writeModel,
} from "../../../models/mod.ts";
import type { Gpt2Config } from "../../../models/architectures/gpt2.ts";
import { foldedSource } from "../../../models/checkpoints/derived/folded.ts";
import { planOffsets } from "../../../train/selection.ts";
import { type SafetensorsTensorData, writeSafetensors } from "../../../quant/mod.ts";
import { trainedTensors } from "../../../train/mod.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { optLogits, type OptShape } from "../../reference/opt.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { llamaCppLogits, llamaCppMissing } from "../../support/llama_cpp.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { tensorData, withTemp } from "../quantised_folder.ts";
import { randomTokens, textExamples, weightsOf } from "../small_model.ts";
import { optLoss } from "../small_opt.ts";
import { assertDerivatives, assertMemory, assertTrainsAndReturns, type Oracle } from "./proofs.ts";
import { asOptFolder, readSorter } from "./sorter.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape: OptShape = {
  hidden: 96,
  layers: 2,
  feedForward: 384,
  heads: 4,
  vocabulary: 300,
  context: 70,
  activation: "gelu_new",
};
const tokens = randomTokens(shape.vocabulary, 30, 4);

type Weights = Record<string, Float32Array<ArrayBuffer>>;

/** Random weights by their names in a folder, `[out][in]` all of them. */
function randomGpt2({ tied = true } = {}): Weights {
  const random = randomNumbers(3);
  const { hidden, vocabulary, context, layers, feedForward } = shape;
  const weights: Weights = {};
  const matrix = (name: string, rows: number, columns: number): void => {
    weights[`${name}.weight`] = randomNormals(rows * columns, columns ** -0.5, random);
  };
  const linear = (name: string, rows: number, columns: number): void => {
    matrix(name, rows, columns);
    weights[`${name}.bias`] = randomNormals(rows, 0.3, random);
  };
  const norm = (name: string): void => {
    weights[`${name}.weight`] = randomNormals(hidden, 0.2, random).map((value) => 1 + value);
    weights[`${name}.bias`] = randomNormals(hidden, 0.3, random);
  };
  matrix("transformer.wte", vocabulary, hidden);
  matrix("transformer.wpe", context, hidden);
  for (let layer = 0; layer < layers; layer++) {
    const at = `transformer.h.${layer}`;
    norm(`${at}.ln_1`);
    linear(`${at}.attn.c_attn`, 3 * hidden, hidden);
    linear(`${at}.attn.c_proj`, hidden, hidden);
    norm(`${at}.ln_2`);
    linear(`${at}.mlp.c_fc`, feedForward, hidden);
    linear(`${at}.mlp.c_proj`, hidden, feedForward);
  }
  norm("transformer.ln_f");
  if (!tied) matrix("lm_head", vocabulary, hidden);
  return weights;
}

const isConv1D = (name: string): boolean => /\.(c_attn|c_proj|c_fc)\.weight$/.test(name);

/** A matrix with its rows as columns. */
function transposed(values: Float32Array, rows: number): Float32Array<ArrayBuffer> {
  const columns = values.length / rows;
  return Float32Array.from(
    values,
    (_, i) => values[(i % rows) * columns + Math.floor(i / rows)],
  );
}

/** The tensors of a folder: matrices of blocks with a row for each input. */
function stored(weights: Weights): SafetensorsTensorData[] {
  return Object.entries(weights).map(([name, values]) => {
    const bias = weights[name.replace(/weight$/, "bias")];
    if (/bias$|ln_/.test(name)) return tensorData(name, "F32", [values.length], values);
    if (!isConv1D(name)) {
      const { hidden } = shape;
      return tensorData(name, "F32", [values.length / hidden, hidden], values);
    }
    const rows = bias.length;
    return tensorData(name, "F32", [values.length / rows, rows], transposed(values, rows));
  });
}

const config = (tied: boolean): Record<string, unknown> => ({
  architectures: ["GPT2LMHeadModel"],
  model_type: "gpt2",
  activation_function: "gelu_new",
  attn_pdrop: 0.1,
  bos_token_id: 50256,
  embd_pdrop: 0.1,
  eos_token_id: 50256,
  initializer_range: 0.02,
  layer_norm_epsilon: 1e-5,
  n_ctx: shape.context,
  n_embd: shape.hidden,
  n_head: shape.heads,
  n_layer: shape.layers,
  n_positions: shape.context,
  resid_pdrop: 0.1,
  summary_activation: null,
  summary_first_dropout: 0.1,
  summary_proj_to_labels: true,
  summary_type: "cls_index",
  summary_use_proj: true,
  task_specific_params: { "text-generation": { do_sample: true, max_length: 50 } },
  vocab_size: shape.vocabulary,
  ...tied ? {} : { tie_word_embeddings: false },
});

async function writeFolder(
  folder: string,
  tensors: readonly SafetensorsTensorData[],
  json: object,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
  const stream = ReadableStream.from(writeSafetensors(tensors));
  await Deno.writeFile(join(folder, "model.safetensors"), stream);
}

/** The same weights as OPT has them: two leading rows of positions that nobody asks for, queries, keys and values apart. */
function asOpt(weights: Readonly<Record<string, ArrayLike<number>>>) {
  const out: Record<string, ArrayLike<number>> = {};
  const { hidden } = shape;
  for (const [name, values] of Object.entries(weights)) {
    const all = Float64Array.from(values);
    const inside = name.replace(/^transformer\.h\.(\d+)\.ln_1/, "blk.$1.attn_norm")
      .replace(/^transformer\.h\.(\d+)\.ln_2/, "blk.$1.ffn_norm")
      .replace(/^transformer\.h\.(\d+)\.attn\.c_attn/, "blk.$1.attn_qkv")
      .replace(/^transformer\.h\.(\d+)\.attn\.c_proj/, "blk.$1.attn_output")
      .replace(/^transformer\.h\.(\d+)\.mlp\.c_fc/, "blk.$1.ffn_up")
      .replace(/^transformer\.h\.(\d+)\.mlp\.c_proj/, "blk.$1.ffn_down")
      .replace("transformer.ln_f", "output_norm").replace("transformer.wte", "token_embd")
      .replace("transformer.wpe", "position_embd").replace("lm_head", "output");
    if (inside.startsWith("position_embd")) {
      out[inside] = Float64Array.from([...new Float64Array(2 * hidden), ...all]);
    } else if (inside.includes("attn_qkv")) {
      const length = all.length / 3;
      ["attn_q", "attn_k", "attn_v"].forEach((part, i) => {
        out[inside.replace("attn_qkv", part)] = all.slice(i * length, (i + 1) * length);
      });
    } else out[inside] = all;
  }
  // The oracle takes the head by its name in a folder.
  if (out["output.weight"]) out["lm_head.weight"] = out["output.weight"];
  return out;
}

async function logitsAt(source: ModelSource): Promise<Float32Array> {
  using model = await loadModel(gpu, source);
  return await logitsOf(gpu, model, tokens);
}

for (const tied of [true, false]) {
  const head = tied ? "a tied head" : "a head of its own";
  Deno.test(`the forward of a GPT-2 folder with ${head} is the oracle's, and the folder is written back`, async () => {
    await withTemp(async (folder) => {
      const weights = randomGpt2({ tied });
      const path = (name: string) => join(folder, name);
      await writeFolder(path("base"), stored(weights), config(tied));
      using source = await openModelSource(path("base"));
      assertEquals(source.notes, []);
      const ours = await logitsAt(source);
      const error = relativeL2(ours, optLogits(shape, asOpt(weights), tokens));
      assert(error < 1e-5, `relative L2 of the logits is ${error}`);

      // Trained matrices go back to where they lie, a row for each input.
      using model = await loadModel(gpu, source);
      const selection = { kinds: ["dense", "norms", "biases"], exclude: [] } as const;
      using offsets = planOffsets(model, "relative", gpu.maxBinding, selection).allocate(gpu);
      const random = randomNumbers(5);
      offsets.write(
        gpu,
        new Map(offsets.trainables.map((t) => [t.name, randomNormals(t.count, 0.05, random)])),
      );
      const tuned = foldedSource(
        source,
        trainedTensors(offsets.trainables, await offsets.read(gpu)),
      );
      await writeModel(tuned, path("tuned"));
      using again = await openModelSource(path("tuned"));
      assertEquals(await weightsOf(again), await weightsOf(tuned));
      using evaluator = new Evaluator(model, offsets);
      const text = textExamples(shape.vocabulary, [40]);
      const [{ loss }] = await evaluator.run([packBatch(text, "language-modelling", 64)]);
      const expected = optLoss(shape, asOpt(await weightsOf(again)), text, "language-modelling");
      assertAlmostEquals(loss, expected, 1e-4);

      // And into a folder of this library's own.
      await writeModel(quantizedSource(source, { format: "Q4_0", keep: ["ffn_down"] }), path("q"));
      using small = await openModelSource(path("q"));
      assertEquals(small.config, source.config);
      const down = small.tensors.get("blk.0.ffn_down.weight")!;
      assertEquals(down.format.name, "F16");
      assertEquals(small.tensors.get("blk.0.attn_qkv.weight")!.format.name, "Q4_0");
      const half = [...(await weightsOf(small))["blk.0.ffn_down.weight"]];
      const whole = weights["transformer.h.0.mlp.c_proj.weight"];
      half.forEach((value, i) => assertAlmostEquals(value, whole[i], 1e-3));
    });
  });
}

Deno.test("a GPT-2 folder as OpenAI's: without prefix, with masks beside the weights", async () => {
  await withTemp(async (folder) => {
    const weights = randomGpt2();
    const mask = new Float32Array(shape.context ** 2).fill(1);
    const dimensions = [1, 1, shape.context, shape.context];
    const tensors = [
      ...stored(weights).map((it) => ({ ...it, name: it.name.replace(/^transformer\./, "") })),
      tensorData("h.0.attn.bias", "F32", dimensions, mask),
      tensorData("h.0.attn.masked_bias", "F32", [1], Float32Array.of(-1e4)),
    ];
    await writeFolder(folder, tensors, config(true));
    using source = await openModelSource(folder);
    assertEquals(source.notes!.length, 1);
    assert(source.notes![0].includes("masks of attention"), source.notes![0]);
    const error = relativeL2(
      await logitsAt(source),
      optLogits(shape, asOpt(weights), tokens),
    );
    assert(error < 1e-5, `relative L2 of the logits is ${error}`);
  });
});

const missing = await llamaCppMissing();
Deno.test(
  `llama.cpp computes the file written of a GPT-2 folder alike${
    missing ? ` (skipped: ${missing})` : ""
  }`,
  { ignore: missing !== undefined },
  async () => {
    await withTemp(async (folder) => {
      const path = (name: string) => join(folder, name);
      await writeWithTokenizer(path("base"), randomGpt2());
      using source = await openModelSource(path("base"));
      await writeModel(source, path("model.gguf"));
      const theirs = await llamaCppLogits(path("model.gguf"), tokens);
      const ours = await logitsAt(source);
      const difference = relativeL2(ours, theirs.flatMap((row) => [...row]));
      // ggml reads GELU from a table of halves.
      assert(difference < 1e-3, `relative L2 to llama.cpp's logits is ${difference}`);
      using file = await openModelSource(path("model.gguf"));
      // GGUF has f32.
      const inFile = { ...source.config as Gpt2Config, normEpsilon: Math.fround(1e-5) };
      assertEquals(file.config, inFile);
      assertEquals(await logitsAt(file), ours);
      await writeModel(file, path("back"));
      using back = await openModelSource(path("back"));
      assertEquals(await logitsAt(back), ours);
    });
  },
);

Deno.test(
  `without the feed-forward layer, where GELU is, llama.cpp's logits of a GPT-2 are ours${
    missing ? ` (skipped: ${missing})` : ""
  }`,
  { ignore: missing !== undefined },
  async () => {
    await withTemp(async (folder) => {
      const quiet = Object.fromEntries(
        Object.entries(randomGpt2()).map(([name, values]) =>
          name.includes("mlp.c_proj") ? [name, values.map(() => 0)] : [name, values]
        ),
      );
      await writeWithTokenizer(join(folder, "base"), quiet);
      using source = await openModelSource(join(folder, "base"));
      await writeModel(source, join(folder, "model.gguf"));
      const theirs = await llamaCppLogits(join(folder, "model.gguf"), tokens);
      const difference = relativeL2(await logitsAt(source), theirs.flatMap((row) => [...row]));
      assert(difference < 1e-5, `relative L2 to llama.cpp's logits is ${difference}`);
    });
  },
);

/** A folder that can be written as a GGUF file that llama.cpp takes. */
async function writeWithTokenizer(
  folder: string,
  weights: ReturnType<typeof randomGpt2>,
): Promise<void> {
  const ids = { bos_token_id: 0, eos_token_id: 0 };
  await writeFolder(folder, stored(weights), { ...config(true), ...ids });
  await Deno.writeTextFile(join(folder, "tokenizer.json"), JSON.stringify(byteTokenizer()));
  await Deno.writeTextFile(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({ tokenizer_class: "GPT2Tokenizer", bos_token: "<|endoftext|>" }),
  );
}

/** Bytes and made-up tokens. */
function byteTokenizer() {
  const printable = [[33, 126], [161, 172], [174, 255]]
    .flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
  const others = Array.from({ length: 256 }, (_, i) => i).filter((it) => !printable.includes(it));
  const letters = [
    ...printable.map((it) => String.fromCodePoint(it)),
    ...others.map((_, i) => String.fromCodePoint(256 + i)),
  ];
  const made = Array.from(
    { length: shape.vocabulary - 257 },
    (_, i) => `${letters[i]}${letters[0]}`,
  );
  const vocab = ["<|endoftext|>", ...letters, ...made];
  return {
    version: "1.0",
    added_tokens: [{ id: 0, content: "<|endoftext|>", special: true }],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: { type: "ByteLevel", trim_offsets: false },
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
      merges: made.map((it) => `${it[0]} ${it.slice(1)}`),
    },
  };
}

Deno.test("the derivative along noise on everything of a GPT-2 is the oracle's; trained, it goes into a folder and GGUF and comes back; memory is as planned", async () => {
  const oracle: Oracle = {
    vocabulary: shape.vocabulary,
    logits: (weights, tokens) => optLogits(shape, asOpt(weights), tokens),
  };
  await withTemp(async (folder) => {
    const path = (name: string) => join(folder, name);
    await writeFolder(path("base"), stored(randomGpt2()), config(true));
    using source = await openModelSource(path("base"));
    await assertDerivatives(gpu, source, oracle);
    for (const [format, end] of [["int4_g32", ""], ["Q4_0", ".gguf"]]) {
      const [small, tuned] = [path(`small${end}`), path(`tuned${end}`)];
      await assertTrainsAndReturns(gpu, source, oracle, { format, small, tuned });
    }
    await assertMemory(gpu, source);
  });
});

Deno.test("GPT-2 quantised with text computes as the oracle on its weights", async () => {
  await withTemp(async (folder) => {
    const weights = randomGpt2();
    await writeFolder(folder, stored(weights), config(true));
    using dense = await openModelSource(folder);
    const windows = textExamples(shape.vocabulary, [40, 60]);
    for (const method of ["gptq", "awq"]) {
      const source = await calibratedSource(gpu, dense, windows, { method, format: "int4_g32" });
      const own = asOpt(await weightsOf(source));
      const error = relativeL2(await logitsAt(source), optLogits(shape, own, tokens));
      assert(error < 1e-5, `${method}: relative L2 of the logits is ${error}`);
      const after = optLoss(shape, own, windows, "language-modelling");
      const before = optLoss(shape, asOpt(weights), windows, "language-modelling");
      assertAlmostEquals(after, before, 0.1 * before);
    }
  });
});

Deno.test("keys of GPT-2: both names of sizes, defaults, what is refused by name", async () => {
  const read = (change: object) =>
    configFromHuggingFace({ ...config(true), ...change }) as Gpt2Config;
  assertEquals(read({}).feedForward, 384);
  assertEquals(read({ n_inner: 128 }).feedForward, 128);
  assertEquals(read({ n_embd: undefined, hidden_size: 96 }), read({}));
  assertEquals(read({ layer_norm_epsilon: undefined }).normEpsilon, 1e-5);
  assertEquals(read({ activation_function: undefined }).activation, "gelu-tanh");
  const refused: [object, string][] = [
    [{ hidden_size: 128 }, "n_embd 96 and hidden_size 128 contradict"],
    [{ activation_function: "swish" }, 'activation_function "swish"'],
    [{ scale_attn_by_inverse_layer_idx: true }, "scale_attn_by_inverse_layer_idx true"],
    [{ scale_attn_weights: false }, "scale_attn_weights false"],
    [{ add_cross_attention: true }, "add_cross_attention true"],
    [{ tie_word_embeddings: null }, "tie_word_embeddings"],
    [{ rope_theta: 1e4 }, "rope_theta 10000 is not known"],
    [{ architectures: ["GPT2DoubleHeadsModel"] }, "GPT2DoubleHeadsModel"],
  ];
  for (const [change, message] of refused) assertThrows(() => read(change), RangeError, message);

  await withTemp(async (folder) => {
    const path = (name: string) => join(folder, name);
    const json = { ...config(true), activation_function: "gelu" };
    await writeFolder(path("base"), stored(randomGpt2()), json);
    using source = await openModelSource(path("base"));
    await assertRejects(() => writeModel(source, path("x.gguf")), RangeError, "GELU by a tanh");
    const [first, ...others] = stored(randomGpt2()).filter(({ name }) => isConv1D(name));
    const turned = { ...first, shape: [...first.shape].reverse() };
    const rest = stored(randomGpt2()).filter(({ name }) => !isConv1D(name));
    await writeFolder(path("turned"), [...rest, turned, ...others], config(true));
    await assertRejects(() => openModelSource(path("turned")), RangeError, "expected [96, 288]");
  });
});

Deno.test("a real GPT-2 that sorts letters has the logits of the forward that came with it, and as OPT has them too", async () => {
  const sorter = await readSorter();
  if (sorter === undefined) return console.log("skipped, because ../shared/data is missing");
  const { weights, cases } = sorter;
  const sizes = { n_embd: 48, n_layer: 3, n_head: 3, vocab_size: 3, n_positions: 11 };
  const logitsIn = async (tensors: SafetensorsTensorData[], json: object) => {
    let found: Float32Array[] = [];
    await withTemp(async (folder) => {
      await writeFolder(folder, tensors, json);
      using source = await openModelSource(folder);
      using model = await loadModel(gpu, source);
      found = await Promise.all(cases.map(({ ids }) => logitsOf(gpu, model, ids)));
    });
    return found;
  };
  const gpt = await logitsIn(
    Object.entries(weights).map(([name, { shape, values }]) =>
      isConv1D(name)
        ? tensorData(name, "F32", [...shape].reverse(), transposed(values, shape[0]))
        : tensorData(name, "F32", shape, values)
    ),
    { model_type: "gpt2", ...sizes, tie_word_embeddings: false },
  );
  const opt = await logitsIn(
    [...asOptFolder(weights)].map(([name, { shape, values }]) =>
      tensorData(name, "F32", shape, values)
    ),
    {
      ...{ model_type: "opt", hidden_size: 48, num_hidden_layers: 3, num_attention_heads: 3 },
      ...{ ffn_dim: 192, vocab_size: 3, max_position_embeddings: 11 },
      ...{ activation_function: "gelu_new", tie_word_embeddings: false },
    },
  );
  for (const [i, { logits }] of cases.entries()) {
    for (const [name, found] of [["GPT-2", gpt[i]], ["OPT", opt[i]]] as const) {
      const error = relativeL2(found, logits);
      assert(error < 1e-5, `relative L2 of the logits as ${name} is ${error}`);
    }
    const error = relativeL2(opt[i], gpt[i]);
    assert(error < 1e-6, `relative L2 of OPT's logits from GPT-2's is ${error}`);
  }
});
