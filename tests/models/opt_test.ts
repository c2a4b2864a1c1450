// OPT: forwards of all its variants, training, generating, quantising and writing against the f64 oracle, and a real model.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { offsetWidth, openGpu } from "../../kernels/mod.ts";
import {
  assertWritable,
  calibratedSource,
  configFromHuggingFace,
  Evaluator,
  generate,
  loadModel,
  type Model,
  type ModelSource,
  openModelSource,
  packBatch,
  quantizedSource,
  writeModel,
} from "../../models/mod.ts";
import type { OptConfig } from "../../models/architectures/opt.ts";
import { foldedSource } from "../../models/checkpoints/derived/folded.ts";
import { adaptedSource, writeAdapter } from "../../models/checkpoints/derived/tuned_values.ts";
import { planOffsets, type Selection } from "../../train/selection.ts";
import { modelOfShape, planMemory } from "../../train/steps/memory_plan.ts";
import { Trainer } from "../../train/steps/trainer.ts";
import { masterSeed, mezo, qzoNormalised, stepSeed, tensorId } from "../../optim/mod.ts";
import { trainedTensors } from "../../train/mod.ts";
import { noiseTerm } from "../reference/effective_weights.ts";
import type { OptShape } from "../reference/opt.ts";
import {
  awqWords,
  gptqWords,
  plainWeights,
  randomMatrix,
  scaleBits,
} from "../quant/transposed_writer.ts";
import { randomNormals, randomNumbers } from "../support/random_llama.ts";
import { exists, readReviews, sharedData } from "../support/shared_data.ts";
import { checkWrittenBack, type StoredLinear, tensorData, withTemp } from "./quantised_folder.ts";
import { choiceExamples, randomTokens, textExamples, weightsOf } from "./small_model.ts";
import {
  insideName,
  isOptLinear,
  narrowOpt,
  optConfig,
  optLogits,
  optLoss,
  type RandomOptOptions,
  smallOpt,
  writeOptFolder,
} from "./small_opt.ts";
import { bitsandbytesLinear } from "./stored_linears.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const { vocabulary } = smallOpt;

/** Asserts that losses of both objectives are the oracle's on the source's own weights. */
async function assertForward(
  source: ModelSource,
  shape: OptShape,
  bound = 2e-5,
): Promise<void> {
  using model = await loadModel(gpu, source);
  const weights = await weightsOf(source);
  using evaluator = new Evaluator(model);
  const text = textExamples(shape.vocabulary, [9, 2, shape.context]);
  const choice = choiceExamples(shape.vocabulary, [5, 1, 12]);
  const results = await evaluator.run([
    packBatch(text, "language-modelling", shape.context),
    packBatch(choice, "classification", shape.context),
  ]);
  const expected = [
    optLoss(shape, weights, text, "language-modelling"),
    optLoss(shape, weights, choice, "classification"),
  ];
  results.forEach(({ loss }, i) => assertAlmostEquals(loss, expected[i], bound));
}

const VARIANTS: Record<string, [OptShape, RandomOptOptions]> = {
  "norms before, biases, a tied head": [smallOpt, {}],
  "a head of its own": [smallOpt, { tied: false }],
  "norms behind, a narrower embedding, as OPT-350m": [narrowOpt, {}],
  "norms behind, a narrower head of its own": [narrowOpt, { tied: false }],
  "norms before, a narrower embedding": [{ ...narrowOpt, normBefore: true }, {}],
  "no norm behind the last block": [{ ...smallOpt, finalNorm: false }, {}],
  "no biases, norms without vectors, as Galactica": [smallOpt, { biases: false, affine: false }],
  "norms without vectors behind": [narrowOpt, { affine: false }],
  "GELU": [{ ...smallOpt, activation: "gelu" }, {}],
  "GELU by a tanh": [{ ...smallOpt, activation: "gelu_new" }, {}],
};

for (const [name, [shape, options]] of Object.entries(VARIANTS)) {
  Deno.test(`the forward of an OPT folder is the oracle's: ${name}`, async () => {
    await withTemp(async (folder) => {
      const weights = await writeOptFolder(folder, shape, options);
      using source = await openModelSource(folder);
      assertEquals(source.notes, []);
      assertEquals(
        new Set(source.tensors.keys()),
        new Set(Object.keys(weights).map(insideName)),
      );
      await assertForward(source, shape);
    });
  });
}

Deno.test("an OPT folder without the head's prefix, and one with a head that is the embedding", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, smallOpt, { rename: (name) => name.replace(/^model\./, "") });
    using source = await openModelSource(folder);
    await assertForward(source, smallOpt);
  });
  await withTemp(async (folder) => {
    await writeOptFolder(folder, smallOpt, { tied: false, config: { tie_word_embeddings: true } });
    using source = await openModelSource(folder);
    assert(!source.tensors.has("output.weight"));
    assert(source.notes!.some((note) => note.includes('Left out: "lm_head.weight"')));
  });
});

/** The stored planes of a linear layer by GPTQ or AWQ, whatever the module. */
function transposedLinear(method: "gptq" | "awq") {
  return (module: string, rows: number, columns: number, seed: number): StoredLinear => {
    const m = randomMatrix(seed, 4, 32, rows, columns);
    const groups = m.scales.length / rows;
    const { qweight, qzeros } = method === "awq" ? awqWords(m) : gptqWords(m, "v1");
    const [codes, zeros] = [`${module}.qweight`, `${module}.qzeros`];
    return {
      tensors: [
        tensorData(`${module}.scales`, "F16", [groups, rows], scaleBits(m)),
        tensorData(
          codes,
          "I32",
          method === "awq" ? [columns, rows / 8] : [columns / 8, rows],
          qweight,
        ),
        tensorData(zeros, "I32", [groups, rows / 8], qzeros),
      ],
      weights: plainWeights(m),
    };
  };
}

const METHODS: Record<string, {
  linear: (module: string, rows: number, columns: number, seed: number) => StoredLinear;
  settings: Record<string, unknown>;
  also?: RegExp;
  format: string;
  scales: RegExp;
}> = {
  GPTQ: {
    linear: transposedLinear("gptq"),
    settings: { quant_method: "gptq", bits: 4, group_size: 32, desc_act: false, sym: false },
    format: "int4z_g32",
    scales: /\.scales$/,
  },
  AWQ: {
    linear: transposedLinear("awq"),
    settings: { quant_method: "awq", bits: 4, group_size: 32, version: "gemm", zero_point: true },
    format: "int4z_g32",
    scales: /\.scales$/,
  },
  // All linear layers but the head: project_in and project_out too.
  bitsandbytes: {
    linear: bitsandbytesLinear("nf4", 32),
    settings: { quant_method: "bitsandbytes", load_in_4bit: true, bnb_4bit_quant_type: "nf4" },
    also: /project_(in|out)\.weight$/,
    format: "nf4_g32",
    scales: /\.absmax$/,
  },
};

for (const [name, { linear, settings, also, format, scales }] of Object.entries(METHODS)) {
  for (const shape of [smallOpt, narrowOpt]) {
    const kind = shape === narrowOpt ? "as OPT-350m" : "with norms before";
    Deno.test(`an OPT folder of ${name}, ${kind}, is read, evaluated and written back`, async () => {
      await withTemp(async (folder) => {
        const config = { quantization_config: settings };
        const weights = await writeOptFolder(folder, shape, {
          config,
          linear,
          ...also ? { also } : {},
        });
        {
          using source = await openModelSource(folder);
          const found = await weightsOf(source);
          for (const [stored, values] of Object.entries(weights)) {
            const { format: own } = source.tensors.get(insideName(stored))!;
            const isPacked = isOptLinear(stored) || also?.test(stored) === true;
            assertEquals(own.name, isPacked ? format : "F32", stored);
            assertEquals(
              [...found[insideName(stored)]].map(Math.fround),
              Array.from(values),
              stored,
            );
          }
          await assertForward(source, shape, 1e-4);
        }
        await checkWrittenBack(folder, scales, { tolerance: name === "bitsandbytes" ? 1e-3 : 0 });
      });
    });
  }
}

const EVERYTHING: Selection = { kinds: ["scales", "norms", "biases", "dense"], exclude: [] };

for (
  const [name, shape, format, form] of [
    ["norms before", smallOpt, "Q4_0", "relative"],
    ["as OPT-350m", narrowOpt, "int4_g32", "absolute"],
  ] as const
) {
  Deno.test(`the derivative along noise on everything of an OPT model is the oracle's: ${name}`, async () => {
    await withTemp(async (folder) => {
      const one = { ...shape, layers: 1 };
      await writeOptFolder(folder, one, { seed: 4 });
      using dense = await openModelSource(folder);
      const source = quantizedSource(dense, { format });
      using model = await loadModel(gpu, source);
      using offsets = planOffsets(model, form, gpu.maxBinding, EVERYTHING).allocate(gpu);
      const kinds = new Set(offsets.trainables.map((it) => it.name.split(".").at(-1)));
      assertEquals(kinds, new Set(["weight", "bias"]));
      assertEquals(offsets.trainables.length, source.tensors.size);
      const biases = offsets.trainables.filter((it) => it.name.endsWith(".bias"));
      assertEquals(new Set(biases.map((it) => it.form)), new Set(["absolute"]));
      const epsilon = form === "relative" ? 0.02 : 2e-3;
      const random = randomNumbers(8);
      const start = new Map(
        offsets.trainables.map((t) => [t.name, randomNormals(t.count, epsilon, random)]),
      );
      const rule = { ...mezo({ epsilon, queries: 2 }), form };
      using trainer = new Trainer(model, rule, offsets, { seed: 6 });
      const byName = new Map(offsets.trainables.map((it) => [it.name, it]));
      for (const objective of ["language-modelling", "classification"] as const) {
        const examples = objective === "classification"
          ? choiceExamples(vocabulary, [5, 3])
          : textExamples(vocabulary, [7, 12]);
        offsets.write(gpu, start);
        trainer.enqueue(0, packBatch(examples, objective, shape.context));
        const [record] = await trainer.drain();
        const losses: number[] = [];
        for (const { direction, amplitude } of rule.estimator.branches) {
          const seed = stepSeed(masterSeed(6), 0, direction);
          const weights = await weightsOf(source, (tensor) => {
            const it = byName.get(tensor)!;
            const noise = noiseTerm("normal", seed, tensorId(tensor), amplitude, {
              width: offsetWidth(it),
            });
            return { form: it.form, span: it.span, offsets: start.get(tensor)!, noise };
          });
          losses.push(optLoss(one, weights, examples, objective));
        }
        losses.forEach((loss, b) => {
          const error = Math.abs(record.losses[b] - loss) / loss;
          assert(error < 5e-6, `branch ${b}: ${record.losses[b]}, oracle ${loss}`);
        });
        record.derivatives.forEach((d, q) => {
          const slope = (losses[2 * q] - losses[2 * q + 1]) / (2 * epsilon);
          assert(Math.abs(slope) > 1e-2, `the slope ${slope} is no test`);
          assertAlmostEquals(d, slope, 8e-5 / (2 * epsilon));
        });
      }
    });
  });
}

Deno.test("a selection leaves out OPT's tables, and trains biases or norms alone where told", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, narrowOpt);
    using source = await openModelSource(folder);
    using model = await loadModel(gpu, quantizedSource(source, { format: "Q4_0" }));
    const named = (selection: Selection) =>
      planOffsets(model, "relative", gpu.maxBinding, selection).trainables.map(({ name }) => name);
    const biases = named({ kinds: ["biases"] });
    assertEquals(biases.length, 2 * (2 + 6));
    assert(biases.every((name) => name.endsWith(".bias")));
    assertEquals(named({ kinds: ["norms"], layers: [1, 1] }), [
      "blk.1.attn_norm.weight",
      "blk.1.ffn_norm.weight",
    ]);
    assertThrows(() => named({ kinds: ["dense"] }), RangeError, "position_embd.*");
    assertEquals(named({ kinds: ["dense"], exclude: ["token_embd.*"] }), ["position_embd.weight"]);
  });
});

async function tokensOf(model: Model, prompt: readonly number[], count: number) {
  const tokens: number[] = [];
  for await (const { token } of generate(model, prompt, { stopTokens: [], maxTokens: count })) {
    if (token >= 0) tokens.push(token);
  }
  return tokens;
}

for (const [name, shape] of [["norms before", smallOpt], ["as OPT-350m", narrowOpt]] as const) {
  Deno.test(`OPT generates the oracle's likeliest tokens up to its last position: ${name}`, async () => {
    await withTemp(async (folder) => {
      const weights = await writeOptFolder(folder, shape);
      using source = await openModelSource(folder);
      using model = await loadModel(gpu, source);
      for (const length of [1, 5, 65]) {
        const prompt = randomTokens(vocabulary, length, length);
        const tokens = await tokensOf(model, prompt, 20);
        assertEquals(tokens.length, Math.min(20, shape.context - length));
        const all = [...prompt, ...tokens];
        const logits = optLogits(shape, weights, all);
        tokens.forEach((token, i) => {
          const at = prompt.length + i - 1;
          const row = logits.subarray(at * vocabulary, (at + 1) * vocabulary);
          assert(row[token] >= Math.max(...row) - 1e-4, `token ${i} after ${length}`);
        });
      }
    });
  });
}

Deno.test("positions that were not learned are refused", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, smallOpt);
    using source = await openModelSource(folder);
    await assertRejects(
      () => loadModel(gpu, source, { maxPositions: 71 }),
      RangeError,
      "has 70 learned ones",
    );
  });
});

Deno.test("the planned memory of training an OPT model is what it takes, to the byte", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, narrowOpt);
    using dense = await openModelSource(folder);
    const source = quantizedSource(dense, { format: "Q4_0" });
    const selection = { kinds: ["scales", "norms", "biases"] } as const;
    const optimiser = qzoNormalised({ queries: 2 });
    const batch = packBatch(choiceExamples(vocabulary, [9, 14, 3]), "classification", 64);
    const { adapterClass, maxBinding } = gpu;
    const options = { optimiser, selection, shape: batch.shape, adapterClass, maxBinding };
    const plan = planMemory(source, options);
    assertEquals(planMemory(modelOfShape(source.config, "Q4_0"), options).offsets, plan.offsets);
    const before = gpu.memory.current;
    using model = await loadModel(gpu, source);
    using offsets = planOffsets(model, "relative", maxBinding, selection).allocate(gpu);
    using trainer = new Trainer(model, optimiser, offsets, { seed: 1 });
    trainer.enqueue(0, batch);
    await trainer.drain();
    for (const part of ["weights", "offsets", "activations", "optimiser", "scratch"] as const) {
      assertEquals(gpu.memory.current[part] - before[part], plan[part], part);
    }
  });
});

Deno.test("an OPT model goes into a folder and comes back, dense, quantised and trained; GGUF is refused before work", async () => {
  const galactica = { ...smallOpt, activation: "gelu_new" } as const;
  for (const [shape, options] of [[galactica, {}], [narrowOpt, { tied: false }]] as const) {
    await withTemp(async (folder) => {
      const path = (name: string) => join(folder, name);
      await Deno.mkdir(path("base"));
      await writeOptFolder(path("base"), shape, options);
      using dense = await openModelSource(path("base"));
      const quantised = quantizedSource(dense, { format: "int4_g32" });
      await writeModel(quantised, path("small"));
      using small = await openModelSource(path("small"));
      assertEquals(small.config, dense.config);
      assertEquals(small.tensors.get("position_embd.weight")!.format.name, "F16");
      assertEquals(small.tensors.get("blk.0.attn_q.weight")!.format.name, "int4_g32");
      assertEquals(await weightsOf(small), await weightsOf(quantised));

      using model = await loadModel(gpu, quantised);
      using offsets = planOffsets(model, "relative", gpu.maxBinding, EVERYTHING).allocate(gpu);
      const random = randomNumbers(3);
      offsets.write(
        gpu,
        new Map(offsets.trainables.map((t) => [t.name, randomNormals(t.count, 0.02, random)])),
      );
      const trained = trainedTensors(offsets.trainables, await offsets.read(gpu));
      const tuned = foldedSource(small, trained);
      await writeModel(tuned, path("tuned"));
      using again = await openModelSource(path("tuned"));
      assertEquals(await weightsOf(again), await weightsOf(tuned));
      // And as an adapter alone, biases and norms too.
      await writeAdapter(small, trained, path("tuned.safetensors"));
      using adapted = await adaptedSource(small, path("tuned.safetensors"));
      assertEquals(await weightsOf(adapted), await weightsOf(tuned));
      using before = new Evaluator(model, offsets);
      using loaded = await loadModel(gpu, again);
      using after = new Evaluator(loaded);
      const batch = packBatch(textExamples(vocabulary, [20]), "language-modelling", 64);
      const [[one], [other]] = [await before.run([batch]), await after.run([batch])];
      assertAlmostEquals(one.loss, other.loss, 5e-3);

      await assertRejects(() => assertWritable(small, path("x.gguf")), RangeError, '"opt" as GGUF');
    });
  }
});

for (const method of ["rtn", "gptq", "awq", "imatrix"]) {
  for (const [name, shape] of [["norms before", smallOpt], ["as OPT-350m", narrowOpt]] as const) {
    Deno.test(`OPT quantised with ${method} computes as the oracle on its weights: ${name}`, async () => {
      await withTemp(async (folder) => {
        const weights = await writeOptFolder(folder, shape);
        using dense = await openModelSource(folder);
        const windows = textExamples(vocabulary, [40, 60]);
        const layers: string[] = [];
        const source = await calibratedSource(gpu, dense, windows, {
          method,
          format: "int4_g32",
          onLayer: ({ name }) => layers.push(name),
        });
        const matrices = [...source.tensors.values()].filter((it) => it.format.name === "int4_g32");
        assertEquals(matrices.length, 2 * 6 + (shape === narrowOpt ? 2 : 0));
        assertEquals(new Set(layers), new Set(matrices.map((it) => it.name)));
        await assertForward(source, shape, 1e-4);
        // Near the model that it was.
        const quantised = optLoss(shape, await weightsOf(source), windows, "language-modelling");
        const before = optLoss(shape, weights, windows, "language-modelling");
        assertAlmostEquals(quantised, before, 0.15 * before);
      });
    });
  }
}

Deno.test("keys of OPT: defaults, what is honoured, what is refused by name", () => {
  const sizes = {
    model_type: "opt",
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    ffn_dim: 160,
    vocab_size: 256,
  };
  const config = (change: Record<string, unknown>) =>
    configFromHuggingFace({ ...sizes, ...change }) as OptConfig;
  assertEquals(config({}), {
    architecture: "opt",
    hidden: 64,
    layers: 2,
    heads: 4,
    keyValueHeads: 4,
    headDimension: 16,
    feedForward: 160,
    vocabulary: 256,
    context: 2048,
    embeddingWidth: 64,
    normBefore: true,
    finalNorm: true,
    biases: true,
    affineNorms: true,
    activation: "relu",
    tiedHead: true,
  });
  assertEquals(config({ word_embed_proj_dim: null }).embeddingWidth, 64);
  assertEquals(config({ do_layer_norm_before: false }).finalNorm, false);
  assertEquals(config({ tie_word_embeddings: false }).tiedHead, false);
  assertEquals(configFromHuggingFace(optConfig(narrowOpt)), {
    ...config({ num_hidden_layers: 2, word_embed_proj_dim: 64, do_layer_norm_before: false }),
    ...{ hidden: 96, headDimension: 24, vocabulary: 290, context: 70 },
  });
  const fitting = { head_dim: 16, num_key_value_heads: 4, intermediate_size: 160 };
  assertEquals(config({ ...fitting, hidden_act: "relu", learned_embeddings: true }), config({}));
  const refused: [Record<string, unknown>, string][] = [
    [{ activation_function: "quick_gelu" }, 'activation_function "quick_gelu" is not supported'],
    [{ activation_function: "silu" }, "activation_function"],
    [{ hidden_act: "gelu" }, "hidden_act"],
    [{ do_layer_norm_before: "false" }, "do_layer_norm_before"],
    [{ do_layer_norm_before: null }, '"do_layer_norm_before" is null, not true or false'],
    [{ enable_bias: null }, "enable_bias"],
    [{ _remove_final_layer_norm: 1 }, "_remove_final_layer_norm"],
    [{ tie_word_embeddings: null }, "tie_word_embeddings"],
    [{ num_key_value_heads: 2 }, "num_key_value_heads 2"],
    [{ head_dim: 32 }, "head_dim 32"],
    [{ intermediate_size: 64 }, "intermediate_size 64"],
    [{ rope_theta: 1e4 }, "rope_theta 10000"],
    [{ learned_embeddings: false }, "learned_embeddings false"],
    [{ scale_embeddings: true }, "scale_embeddings true"],
    [{ ffn_dim: undefined }, "ffn_dim"],
    [{ architectures: ["OPTForSequenceClassification"] }, "OPTForSequenceClassification"],
    [{ num_experts: 8 }, "num_experts 8"],
    [{ frobnication: 1 }, "frobnication 1 is not known"],
  ];
  for (const [change, message] of refused) {
    assertThrows(() => config(change), RangeError, message);
  }
});

Deno.test("an OPT folder that lacks a bias, has one of another shape, or a stranger is refused by name", async () => {
  const cases: [RandomOptOptions & { config?: Record<string, unknown> }, string][] = [
    [{ biases: false, config: { enable_bias: true } }, "layers.0.self_attn.q_proj.bias"],
    [{ config: { enable_bias: false } }, "biases of linear layers are not supported"],
    [{ affine: false, config: { layer_norm_elementwise_affine: true } }, "self_attn_layer_norm"],
    [{ config: { max_position_embeddings: 71 } }, "expected [73, 96]"],
    [{ config: { _remove_final_layer_norm: true } }, "no place for"],
  ];
  for (const [options, message] of cases) {
    await withTemp(async (folder) => {
      await writeOptFolder(folder, smallOpt, options);
      await assertRejects(() => openModelSource(folder), RangeError, message);
    });
  }
});

/** GPT-2's kind of tokenizer with OPT's first tokens, as the slow one is converted: `</s>` stands before every text. */
const optTokenizer = {
  version: "1.0",
  added_tokens: ["<s>", "<pad>", "</s>", "<unk>"].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: true,
    special: true,
  })),
  normalizer: null,
  pre_tokenizer: {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "</s>", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
    ],
    pair: [
      { SpecialToken: { id: "</s>", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { Sequence: { id: "B", type_id: 1 } },
    ],
    special_tokens: { "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] } },
  },
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    vocab: Object.fromEntries(
      ["<s>", "<pad>", "</s>", "<unk>", ..."abcdefghijklmnopqrstuvwxyz", "Ġ", "ab", "Ġa"]
        .map((token, id) => [token, id]),
    ),
    merges: ["a b", "Ġ a"],
  },
};

Deno.test("a text for OPT begins with </s>, which is BOS and EOS, and so it does in what is written", async () => {
  await withTemp(async (folder) => {
    const path = (name: string) => join(folder, name);
    await Deno.mkdir(path("base"));
    await writeOptFolder(path("base"), smallOpt);
    const write = (name: string, value: unknown) =>
      Deno.writeTextFile(path(`base/${name}`), JSON.stringify(value));
    await write("tokenizer.json", optTokenizer);
    const token = { __type: "AddedToken", content: "</s>", normalized: true };
    await write("tokenizer_config.json", {
      tokenizer_class: "GPT2Tokenizer",
      add_bos_token: true,
      bos_token: token,
      eos_token: token,
      errors: "replace",
    });
    using source = await openModelSource(path("base"));
    await writeModel(quantizedSource(source, { format: "int4_g32" }), path("written"));
    using written = await openModelSource(path("written"));
    for (const { tokenizer } of [source, written]) {
      assertEquals(tokenizer!.encode("ab a"), [2, 31, 32]);
      assertEquals([tokenizer!.bos, tokenizer!.eos, tokenizer!.start], [2, 2, [2]]);
    }
    const config = JSON.parse(await Deno.readTextFile(path("written/config.json")));
    assertEquals([config.bos_token_id, config.eos_token_id], [2, 2]);
  });
});

const real = sharedData("models/reviews-opt-3m");

Deno.test("the real OPT model has the loss that an independent forward found", async () => {
  if (!exists(real)) return console.log(`skipped, because ${real} is not there`);
  using source = await openModelSource(real);
  assertEquals(source.notes, []);
  using model = await loadModel(gpu, source);
  using evaluator = new Evaluator(model);
  const { tokenizer } = source;
  let [sum, tokens] = [0, 0];
  const texts = readReviews().slice(0, 100);
  for (let i = 0; i < texts.length; i += 20) {
    const examples = texts.slice(i, i + 20).map((text) => {
      const ids = tokenizer!.encode(text).slice(0, 160);
      assertEquals(ids[0], 0);
      return { prompt: [], candidates: [ids], label: 0 };
    });
    const [{ loss }] = await evaluator.run([packBatch(examples, "language-modelling", 160)]);
    const count = examples.reduce((n, { candidates }) => n + candidates[0].length - 1, 0);
    sum += loss * count;
    tokens += count;
  }
  assertAlmostEquals(sum / tokens, 4.124, 5e-4);
});
