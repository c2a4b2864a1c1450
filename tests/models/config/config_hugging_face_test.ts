// config.json: theta and scaling of transformers 4 and 5, sliding windows, tied heads, classifiers, MLX, values of other models.
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import {
  configFromHuggingFace,
  Evaluator,
  loadModel,
  type ModelConfig,
  openModelSource,
  packBatch,
} from "../../../models/mod.ts";
import type { LlamaConfig } from "../../../models/architectures/llama.ts";
import { huggingFaceModelSource } from "../../../models/checkpoints/hugging_face/open_folder.ts";
import { ropeFrequencies } from "../../../models/rope_table.ts";
import type { LlamaShape } from "../../reference/llama.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { readHuggingFaceFolder } from "../../support/hugging_face.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { exists, readStories, sharedData } from "../../support/shared_data.ts";
import { withTemp } from "../quantised_folder.ts";
import {
  huggingFaceConfig,
  oracleLoss,
  smallShape,
  textExamples,
  withFolder,
} from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

type Json = Record<string, unknown>;

const shape: LlamaShape = { ...smallShape, rope: "neox" };
const { rope_theta: _, ...plain } = huggingFaceConfig(shape, true);

function configOf(change: Json): { config: ModelConfig; notes: string[] } {
  const notes: string[] = [];
  const config = configFromHuggingFace({ ...plain, ...change }, "c.json", (it) => notes.push(it));
  return { config, notes };
}

function refused(change: Json, ...parts: string[]): void {
  const { message } = assertThrows(() => configOf(change), RangeError);
  for (const part of ['Cannot read "c.json"', ...parts]) assertStringIncludes(message, part);
}

const LLAMA3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
};

/** Divisors of a head's frequencies, from the papers and not from the library. */
function divisors(base: number, width: number, scaling: typeof LLAMA3): number[] {
  return Array.from({ length: width / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * base ** (2 * i / width);
    const { factor, original_max_position_embeddings: original } = scaling;
    if (wavelength < original / scaling.high_freq_factor) return 1;
    if (wavelength > original / scaling.low_freq_factor) return factor;
    const s = (original / wavelength - scaling.low_freq_factor) /
      (scaling.high_freq_factor - scaling.low_freq_factor);
    return 1 / ((1 - s) / factor + s);
  });
}

async function lossOf(folder: string, examples: ReturnType<typeof textExamples>): Promise<number> {
  using source = await huggingFaceModelSource(folder);
  using model = await loadModel(gpu, source);
  using evaluator = new Evaluator(model);
  return (await evaluator.run([packBatch(examples, "language-modelling", 64)]))[0].loss;
}

async function changeConfig(folder: string, change: Json, drop: string[] = []): Promise<void> {
  const path = join(folder, "config.json");
  const json = { ...JSON.parse(await Deno.readTextFile(path)), ...change };
  for (const key of drop) delete json[key];
  await Deno.writeTextFile(path, JSON.stringify(json));
}

for (
  const [name, scaling, factors] of [
    ["llama3", LLAMA3, divisors(5e5, 24, LLAMA3)],
    ["linear", { rope_type: "linear", factor: 4 }, Array(12).fill(4)],
  ] as const
) {
  Deno.test(`rope_parameters of transformers 5 are those of 4, the loss is the oracle's: ${name}`, async () => {
    const weights = randomLlama(shape, { tied: true });
    const examples = textExamples(shape.vocabulary, [40, 33]);
    const expected = oracleLoss(
      { ...shape, ropeBase: 5e5, ropeFactors: [...factors] },
      weights,
      examples,
      "language-modelling",
    );
    await withFolder(shape, weights, async (folder) => {
      await changeConfig(folder, { rope_theta: 5e5, rope_scaling: scaling });
      assertAlmostEquals(await lossOf(folder, examples), expected, 1e-4 * expected);
      const rope_parameters = { rope_theta: 5e5, ...scaling };
      await changeConfig(folder, { rope_parameters }, ["rope_theta", "rope_scaling"]);
      assertAlmostEquals(await lossOf(folder, examples), expected, 1e-4 * expected);
      await changeConfig(folder, {}, ["rope_parameters"]);
      assert(Math.abs(await lossOf(folder, examples) - expected) > 1e-3 * expected);
    });
  });
}

const trained = sharedData("models/tinystories-656k");
const isHere = exists(trained);
Deno.test({
  name: "rope_parameters of a trained model: the loss is the oracle's" +
    (isHere ? "" : " (skipped, because ../shared/data/models/tinystories-656k is not here)"),
  ignore: !isHere,
  fn: () =>
    withTemp(async (folder) => {
      for await (const { name } of Deno.readDir(trained)) {
        await Deno.copyFile(join(trained, name), join(folder, name));
      }
      using source = await huggingFaceModelSource(folder);
      const tokens = [...source.tokenizer!.encode(readStories()[0])].slice(0, 60);
      const examples = [{ prompt: [], candidates: [tokens], label: 0 }];
      const { shape, weights } = await readHuggingFaceFolder(folder);
      const ropeFactors = divisors(5e5, 16, LLAMA3);
      const scaled = { ...shape, ropeBase: 5e5, ropeFactors };
      const expected = oracleLoss(scaled, weights, examples, "language-modelling");
      const rope_parameters = { rope_theta: 5e5, ...LLAMA3 };
      await changeConfig(folder, { rope_parameters }, ["rope_theta", "rope_scaling"]);
      assertAlmostEquals(await lossOf(folder, examples), expected, 1e-5 * expected);
    }),
});

Deno.test("rotations: types, old and new keys, layers that agree", () => {
  const frequencies = (change: Json) => ropeFrequencies(configOf(change).config as LlamaConfig);
  const linear = frequencies({ rope_theta: 1e6, rope_scaling: { type: "linear", factor: 2 } });
  assertAlmostEquals(linear[1], 1e6 ** (-2 / 24) / 2, 1e-12);
  const same: Json[] = [
    { rope_parameters: { rope_theta: 1e6, rope_type: "linear", factor: 2 } },
    { rope_parameters: { rope_type: "linear", factor: 2 }, rope_theta: 1e6 },
    { rope_scaling: { rope_theta: 1e6, rope_type: "linear", type: "linear", factor: 2 } },
    {
      rope_theta: 1e6,
      rope_scaling: { rope_type: "linear", factor: 2 },
      rope_parameters: {
        rope_theta: 1e6,
        rope_type: "linear",
        factor: 2,
        partial_rotary_factor: 1,
      },
    },
    {
      rope_parameters: {
        full_attention: { rope_theta: 1e6, rope_type: "linear", factor: 2 },
        sliding_attention: { factor: 2, rope_type: "linear", rope_theta: 1e6 },
      },
    },
    {
      layer_types: ["full_attention", "full_attention"],
      rope_parameters: {
        full_attention: { rope_theta: 1e6, rope_type: "linear", factor: 2 },
        sliding_attention: { rope_theta: 1e4, rope_type: "default" },
      },
    },
  ];
  for (const change of same) assertEquals(frequencies(change), linear, JSON.stringify(change));
  const none = frequencies({});
  for (
    const change of [
      { rope_theta: null, rope_scaling: null, rope_parameters: null },
      { rope_theta: 1e4, rope_scaling: {} },
      { rope_parameters: { rope_theta: 1e4 } },
      { rope_scaling: { rope_type: "default", rope_theta: 1e4 } },
      { rope_scaling: { rope_type: "linear", factor: 1 } },
    ]
  ) assertEquals(frequencies(change), none, JSON.stringify(change));
  assertEquals(configOf({ rope_scaling: { rope_type: "default", factor: 4 } }).notes.length, 1);
  assertEquals(
    configOf({ rope_scaling: { type: "linear", factor: 4, beta_fast: 32 } }).notes.length,
    1,
  );
  // transformers scales by the sequence's length over the context, from the context on.
  for (const key of ["rope_type", "type"]) {
    const dynamic = configOf({ rope_scaling: { [key]: "dynamic", factor: 2 } });
    const scaling = { type: "dynamic", factor: 2 } as const;
    assertEquals((dynamic.config as LlamaConfig).ropeScaling, scaling);
    assertEquals(ropeFrequencies(dynamic.config as LlamaConfig), none);
    assertEquals(dynamic.notes.length, 1);
    assertStringIncludes(dynamic.notes[0], "longer sequences are not read");
  }
  const top = { ...LLAMA3, original_max_position_embeddings: undefined };
  assertEquals(
    frequencies({ rope_scaling: top, original_max_position_embeddings: 64 }),
    frequencies({ rope_scaling: LLAMA3 }),
  );
});

Deno.test("rotations that are not read are refused by key and value", () => {
  for (const type of ["longrope", "su", "mrope", "llama4", "ntk", 3]) {
    refused(
      { rope_scaling: { rope_type: type, factor: 2 } },
      `rope_scaling ${JSON.stringify(type)}`,
    );
    refused({ rope_scaling: { type, factor: 2 } }, `rope_scaling ${JSON.stringify(type)}`);
    refused(
      { rope_parameters: { rope_type: type, factor: 2 } },
      `rope_parameters ${JSON.stringify(type)}`,
    );
  }
  refused({ rope_scaling: { factor: 2 } }, 'rope_scaling {"factor":2} has no rope_type');
  refused({ rope_scaling: { type: "dynamic", factor: 2, alpha: 1000 } }, "alpha 1000");
  refused({ rope_scaling: { type: "dynamic" } }, '"factor" is undefined');
  refused({ rope_scaling: { type: "yarn", factor: -2 } }, '"factor" is -2');
  refused({ rope_scaling: { type: "yarn", factor: 2, beta_fast: 1 } }, "beta_fast 1 is not above");
  refused({ rope_scaling: { type: "yarn", factor: 2, truncate: 1 } }, '"truncate" is 1');
  refused({ rope_scaling: { type: "yarn", factor: 2, attn_factor: 2 } }, "attn_factor 2");
  refused({ rope_scaling: { type: "linear", factor: 2, mscale: 0.7 } }, "mscale 0.7");
  refused({ rope_scaling: { type: "linear" } }, '"factor" is undefined');
  refused({ rope_scaling: { type: "linear", factor: "4" } }, '"factor" is "4"');
  refused({ rope_scaling: { type: "linear", rope_type: "llama3" } }, '"llama3" and "linear"');
  refused({ rope_scaling: "linear" }, 'rope_scaling "linear" is not an object');
  refused(
    { rope_scaling: { type: "linear", factor: 2, attention_factor: 1.2 } },
    "attention_factor 1.2",
  );
  refused(
    { rope_scaling: { type: "linear", factor: 2, bend: 3 } },
    "rope_scaling.bend 3 is not known",
  );
  refused(
    { rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } },
    "partial_rotary_factor 0.5",
  );
  refused({ rope_scaling: { ...LLAMA3, low_freq_factor: 4 } }, "high_freq_factor 4 is not above");
  refused(
    { rope_scaling: { ...LLAMA3, original_max_position_embeddings: null } },
    '"original_max_position_embeddings" is undefined',
  );
  refused(
    { rope_theta: 1e4, rope_parameters: { rope_theta: 5e5 } },
    "rope_theta is 10000 and 500000",
  );
  refused(
    { rope_parameters: { rope_theta: 1e4 }, rope_scaling: { type: "linear", factor: 2 } },
    "rope_parameters",
    "rope_scaling",
    "contradict",
  );
  const layered = { full_attention: { rope_theta: 1e6 }, sliding_attention: { rope_theta: 1e4 } };
  refused({ rope_parameters: layered }, "rope_parameters", "differ between layers");
  refused(
    { rope_parameters: layered, layer_types: ["full_attention", "sliding_attention"] },
    "differ between layers",
  );
  refused(
    {
      rope_parameters: { full_attention: { rope_theta: 1e6 } },
      layer_types: ["full_attention", "sliding_attention"],
    },
    'no object for "sliding_attention"',
  );
});

Deno.test("a sliding window is read where it is in force, for the layers that have it", () => {
  const long = { max_position_embeddings: 512 };
  const windowed: [Json, number[] | undefined][] = [
    [{ model_type: "mistral", sliding_window: 128 }, undefined],
    [{ sliding_window: 128 }, undefined],
    [{ sliding_window: 128, use_sliding_window: true }, undefined],
    [{ sliding_window: 128, max_window_layers: 1 }, [1]],
    [{ sliding_window: 128, layer_types: ["full_attention", "sliding_attention"] }, [1]],
    [{ sliding_window: 128, layer_types: ["sliding_attention", "full_attention"] }, [0]],
    [{ sliding_window: 128, layer_types: ["sliding_attention", "sliding_attention"] }, undefined],
  ];
  for (const [change, layers] of windowed) {
    const { config, notes } = configOf({ ...long, num_key_value_heads: 2, ...change });
    const { context, slidingWindow, slidingLayers } = config;
    const what = JSON.stringify(change);
    assertEquals([context, slidingWindow, slidingLayers, notes], [512, 128, layers, []], what);
  }
  const whole: Json[] = [
    { sliding_window: null },
    { sliding_window: 512 },
    { sliding_window: 4096 },
    { sliding_window: 128, use_sliding_window: false },
    { sliding_window: 128, max_window_layers: 2 },
    { sliding_window: 128, layer_types: ["full_attention", "full_attention"] },
    { model_type: "mistral", sliding_window: null },
  ];
  const { config: plain } = configOf({ ...long, num_key_value_heads: 2 });
  for (const change of whole) {
    const { config, notes } = configOf({ ...long, num_key_value_heads: 2, ...change });
    assertEquals([config, notes], [plain, []], JSON.stringify(change));
  }
  // Where the key is missing, Mistral has a window of 4096.
  const mistral = configOf({ model_type: "mistral", max_position_embeddings: 32768 }).config;
  assertEquals([mistral.context, mistral.slidingWindow], [32768, 4096]);
  assertEquals(configOf({ max_position_embeddings: 32768 }).config.slidingWindow, undefined);
  refused({ sliding_window: "128" }, '"sliding_window" is "128"');
  refused({ sliding_window: 0 }, '"sliding_window" is 0');
  refused({ use_sliding_window: "no", sliding_window: 8 }, 'use_sliding_window "no"');
  refused({ layer_types: ["full_attention"] }, "layer_types", "2 layers");
  refused({ layer_types: ["full_attention", "chunked_attention"] }, "chunked_attention");
});

Deno.test("a head is tied unless the configuration says otherwise; then a missing one is named", async () => {
  const weights = randomLlama(shape, { tied: true });
  await withFolder(shape, weights, async (folder) => {
    for (const change of [{ tie_word_embeddings: true }, {}]) {
      await changeConfig(folder, change, Object.keys(change).length ? [] : ["tie_word_embeddings"]);
      using source = await openModelSource(folder);
      assertEquals([source.config.tiedHead, source.tensors.has("output.weight")], [true, false]);
    }
    await changeConfig(folder, { tie_word_embeddings: false });
    const error = await assertRejects(() => openModelSource(folder), RangeError);
    assertStringIncludes(error.message, "tie_word_embeddings is false");
    assertStringIncludes(error.message, '"lm_head.weight"');
  });
  // The other way round: a head, and no embedding.
  const { "model.embed_tokens.weight": table, ...rest } = weights;
  await withFolder(shape, { ...rest, "lm_head.weight": table }, async (folder) => {
    using source = await openModelSource(folder);
    assert(source.config.tiedHead);
    await changeConfig(folder, { tie_word_embeddings: false });
    await assertRejects(() => openModelSource(folder), RangeError, '"model.embed_tokens.weight"');
  }, { tied: true });
  refused({ tie_word_embeddings: "false" }, 'tie_word_embeddings "false" is not a boolean');
});

Deno.test("layers beyond the configuration's are left out with a note", async () => {
  const deep = { ...shape, layers: 3 };
  await withFolder(deep, randomLlama(deep, { tied: true }), async (folder) => {
    await changeConfig(folder, { num_hidden_layers: 2 });
    using source = await openModelSource(folder);
    assertEquals([...source.tensors.keys()].filter((name) => name.startsWith("blk.2")), []);
    assertStringIncludes(source.notes!.join(), "num_hidden_layers is 2, the file has 1 more");
    await changeConfig(folder, { num_hidden_layers: 3 });
    using whole = await openModelSource(folder);
    assertEquals(whole.notes, []);
  });
});

Deno.test("only language models: classifiers and others with heads of their own are refused by name", () => {
  for (const name of ["LlamaForCausalLM", "MistralForCausalLM", "LlamaModel", "LLaMAForCausalLM"]) {
    assertEquals(configOf({ architectures: [name] }).notes, []);
  }
  for (const architectures of [null, []]) configOf({ architectures });
  assertEquals(configOf({ architectures: ["TinyThingForCausalLM"] }).notes.length, 1);
  const others = [
    "LlamaForSequenceClassification",
    "MistralForTokenClassification",
    "LlamaForQuestionAnswering",
    "LlamaForRewardModel",
    "LlamaForCausalLMEagle3",
    "LlavaLlamaModel",
    "LlamaBiModel",
    7,
  ];
  for (const name of others) {
    refused({ architectures: [name] }, "architectures", JSON.stringify(name));
    refused({ architectures: ["LlamaForCausalLM", name] }, JSON.stringify(name));
  }
  const labels = {
    num_labels: 2,
    id2label: { "0": "a" },
    label2id: { a: 0 },
    problem_type: "regression",
  };
  assertEquals(configOf({ architectures: ["LlamaForCausalLM"], ...labels }).notes, []);
});

Deno.test("values of other models are refused by key and value, those that do nothing pass", () => {
  const wrong: [Json, string][] = [
    [{ hidden_act: "gelu" }, 'hidden_act "gelu"'],
    [{ hidden_act: 3 }, "hidden_act 3"],
    [{ attention_bias: true }, "attention_bias true"],
    [{ mlp_bias: true }, "mlp_bias true"],
    [{ partial_rotary_factor: 0.5 }, "partial_rotary_factor 0.5"],
    [{ rope_interleaved: true }, "rope_interleaved true"],
    [{ logit_scale: 0.0625 }, "logit_scale 0.0625"],
    [{ logits_scaling: 8 }, "logits_scaling 8"],
    [{ residual_multiplier: 0.22 }, "residual_multiplier 0.22"],
    [{ embedding_multiplier: 12 }, "embedding_multiplier 12"],
    [{ attention_multiplier: 0.015625 }, "attention_multiplier 0.015625"],
    [{ query_pre_attn_scalar: 256 }, "query_pre_attn_scalar 256"],
    [{ is_causal: false }, "is_causal false"],
    [{ use_rope: false }, "use_rope false"],
    [{ clip_qkv: 8 }, "clip_qkv 8"],
    [{ final_logit_softcapping: 30 }, "final_logit_softcapping 30"],
    [{ num_experts: 8 }, "num_experts 8"],
    [{ num_local_experts: 8 }, "num_local_experts 8"],
    [{ use_qk_norm: true }, "use_qk_norm true"],
    [{ vision_config: { hidden_size: 8 } }, "vision_config"],
    [{ pruned_heads: { "0": [1] } }, "pruned_heads"],
    [{ quantization: { group_size: 64, bits: 4 } }, "MLX"],
    [{ no_rope_layers: [1, 0] }, "no_rope_layers [1,0]"],
    [{ frobnication: 2 }, "frobnication 2 is not known"],
    [{ num_attention_heads: "4" }, '"num_attention_heads" is "4"'],
    [{ vocab_size: 3.5 }, '"vocab_size" is 3.5'],
    [{ head_dim: -8 }, '"head_dim" is -8'],
    [{ rms_norm_eps: true }, '"rms_norm_eps" is true'],
  ];
  for (const [change, message] of wrong) refused(change, message);
  const { config, notes } = configOf({
    hidden_act: "swish",
    attention_bias: false,
    mlp_bias: null,
    attention_dropout: 0.1,
    pretraining_tp: 2,
    partial_rotary_factor: 1,
    rope_interleaved: false,
    logit_scale: 1,
    attention_multiplier: 24 ** -0.5,
    query_pre_attn_scalar: 24,
    clip_qkv: null,
    num_experts: 0,
    head_dim: null,
    attn_implementation: "sdpa",
    torch_dtype: "bfloat16",
    dtype: "bfloat16",
    transformers_version: "5.0.0",
    unsloth_version: "2026.1",
    unsloth_fixed: true,
    temperature: 0.6,
    do_sample: true,
    _name_or_path: "a/b",
    _flash_attn_2_enabled: true,
    "transformers.js_config": { dtype: "q4" },
  });
  assertEquals(config, configOf({}).config);
  assertEquals(notes, []);
  assertEquals(configOf({ auto_map: { AutoModelForCausalLM: "m.X" } }).notes.length, 1);
});

Deno.test("a folder of MLX is named, with what converts it", async () => {
  await withFolder(shape, randomLlama(shape, { tied: true }), async (folder) => {
    for (
      const change of [
        { quantization: { group_size: 64, bits: 4 } },
        { quantization: null, quantization_config: { group_size: 64, bits: 4 } },
        { quantization_config: { group_size: 32, bits: 4, mode: "affine" } },
      ]
    ) {
      await changeConfig(folder, change);
      const { message } = await assertRejects(() => openModelSource(folder), RangeError);
      for (const part of ["MLX", '"bits":4', "mlx_lm.convert --dequantize"]) {
        assertStringIncludes(message, part);
      }
    }
  });
});
