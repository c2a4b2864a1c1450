// GGUF metadata: rotary scaling as llama.cpp reads it, values for each layer, windows, keys and values of other architectures.
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import { Evaluator, loadModel, type ModelConfig, packBatch } from "../../../models/mod.ts";
import type { LlamaConfig } from "../../../models/architectures/llama.ts";
import { ggufModelSource } from "../../../models/checkpoints/gguf/open_gguf.ts";
import { configFromGguf } from "../../../models/config/config_gguf.ts";
import { ropeFrequencies } from "../../../models/rope_table.ts";
import { bytesSource } from "../../../quant/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import {
  ggufBytes,
  type GgufValue,
  llamaF32Tensors,
  llamaMetadata,
} from "../../support/gguf_writer.ts";
import { llamaCppLogitsOf, llamaCppMissing } from "../../support/llama_cpp.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { logSoftmax } from "../../reference/softmax_nll.ts";
import { withTemp } from "../quantised_folder.ts";
import { oracleLoss, smallShape as shape, textExamples } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const plain = new Map<string, unknown>(
  Object.entries(llamaMetadata(shape)).map(([key, { value }]) => [key, value]),
);

/** Keys without `.` before them are under the prefix. */
function configOf(change: Record<string, unknown>): { config: ModelConfig; notes: string[] } {
  const metadata = new Map(plain);
  for (const [key, value] of Object.entries(change)) {
    const full = key.startsWith("general.") || key.startsWith("other.") ? key : `llama.${key}`;
    if (value === undefined) metadata.delete(full);
    else metadata.set(full, value);
  }
  const notes: string[] = [];
  const tensors = { embeddingRows: shape.vocabulary, hasHead: true };
  const config = configFromGguf(metadata, tensors, "m.gguf", (it) => notes.push(it));
  return { config, notes };
}

function refused(change: Record<string, unknown>, ...parts: string[]): void {
  const { message } = assertThrows(() => configOf(change), RangeError);
  for (const part of ['Cannot read "m.gguf"', ...parts]) assertStringIncludes(message, part);
}

const f32 = (value: number): GgufValue => ({ kind: "f32", value });

const SCALED: Record<string, GgufValue>[] = [
  { "llama.rope.scale_linear": f32(4) },
  { "llama.rope.scaling.factor": f32(4) },
  {
    "llama.rope.scaling.type": { kind: "string", value: "linear" },
    "llama.rope.scaling.factor": f32(4),
  },
];

const missing = await llamaCppMissing();
for (const change of SCALED) {
  const keys = Object.keys(change).join(", ");
  const bytes = () =>
    ggufBytes({ ...llamaMetadata(shape), ...change }, llamaF32Tensors(shape, randomLlama(shape)));

  Deno.test(`${keys}: the loss is the oracle's`, async () => {
    const examples = textExamples(shape.vocabulary, [40, 33]);
    using source = await ggufModelSource(bytesSource(bytes(), "memory.gguf"));
    const scaled = { ...shape, ropeFactors: Array(12).fill(4) };
    const expected = oracleLoss(scaled, randomLlama(shape), examples, "language-modelling");
    using model = await loadModel(gpu, source);
    using evaluator = new Evaluator(model);
    const [{ loss }] = await evaluator.run([packBatch(examples, "language-modelling", 64)]);
    assertAlmostEquals(loss, expected, 1e-4 * expected);
  });

  Deno.test({
    name: `${keys}: llama.cpp finds the same loss` + (missing ? ` (skipped: ${missing})` : ""),
    ignore: missing !== undefined,
    fn: () =>
      withTemp(async (folder) => {
        const file = join(folder, "m.gguf");
        await Deno.writeFile(file, bytes());
        const tokens = Array.from({ length: 40 }, (_, i) => 259 + i * 7 % 31);
        const [logits] = await llamaCppLogitsOf(file, [tokens]);
        const nats = tokens.slice(1).map((token, at) => -logSoftmax(logits[at])[token]);
        const theirs = nats.reduce((sum, x) => sum + x, 0) / nats.length;
        using source = await ggufModelSource(bytesSource(bytes(), file));
        using model = await loadModel(gpu, source);
        using evaluator = new Evaluator(model);
        const examples = [{ prompt: [], candidates: [tokens], label: 0 }];
        const [{ loss }] = await evaluator.run([packBatch(examples, "language-modelling", 64)]);
        assertAlmostEquals(loss, theirs, 1e-3);
      }),
  });
}

Deno.test("rotary scaling: none, the old key behind the new, and what is refused", () => {
  const [, second] = ropeFrequencies(configOf({}).config as LlamaConfig);
  const divisor = (change: Record<string, unknown>) =>
    second / ropeFrequencies(configOf(change).config as LlamaConfig)[1];
  assertAlmostEquals(divisor({ "rope.scale_linear": 4, "rope.scaling.factor": 8 }), 8, 1e-12);
  assertEquals(configOf({ "rope.scale_linear": 4, "rope.scaling.factor": 8 }).notes.length, 1);
  assertAlmostEquals(divisor({ "rope.scaling.type": "linear", "rope.scale_linear": 2 }), 2, 1e-12);
  for (
    const change of [
      { "rope.scaling.type": "none" },
      { "rope.scaling.factor": 1 },
      { "rope.scaling.factor": 0 },
      { "rope.scale_linear": 1 },
    ]
  ) assertEquals(configOf(change), { config: configOf({}).config, notes: [] });
  for (
    const change of [
      { "rope.scaling.type": "none", "rope.scaling.factor": 4 },
      { "rope.scaling.type": "linear" },
    ]
  ) {
    assertEquals(divisor(change), 1);
    assertEquals(configOf(change).notes.length, 1);
  }
  for (const type of ["longrope", "Linear", 4]) {
    refused({ "rope.scaling.type": type }, `rope.scaling.type ${JSON.stringify(type)}`);
  }
  refused({ "rope.scaling.factor": -2 }, '"rope.scaling.factor" is -2');
  refused({ "rope.scaling.factor": "4" }, '"rope.scaling.factor" is "4"');
  refused({ "rope.scale_linear": NaN }, '"rope.scale_linear"');
  refused({ "rope.scaling.attn_factor": 1.2 }, "rope.scaling.attn_factor 1.2");
  refused({ "rope.scaling.yarn_ext_factor": 1 }, "rope.scaling.yarn_ext_factor 1");
  const yarn = { "rope.scaling.type": "yarn", "rope.scaling.factor": 4 };
  refused({ ...yarn, "rope.scaling.yarn_ext_factor": 0 }, "rope.scaling.yarn_ext_factor 0");
  refused({ ...yarn, "rope.scaling.yarn_beta_fast": 8 }, "rope.scaling.yarn_beta_fast 8");
  refused({ ...yarn, "rope.scaling.attn_factor": 0 }, '"rope.scaling.attn_factor" is 0');
});

Deno.test("an array for each layer is one value where all are the same, else refused", async () => {
  for (
    const [key, value] of [["attention.head_count", 4], ["attention.head_count_kv", 2], [
      "feed_forward_length",
      160,
    ]] as const
  ) {
    assertEquals(configOf({ [key]: [value, value] }).config, configOf({}).config);
    assertEquals(configOf({ [key]: [BigInt(value), BigInt(value)] }).config, configOf({}).config);
    refused({ [key]: [value, value / 2] }, key, `[${value},${value / 2}]`);
    refused({ [key]: [value] }, key, "2 layers");
  }
  // As they come from a file.
  const key = "llama.attention.head_count";
  for (const [value, message] of [[[4, 4], ""], [[4, 2], "[4,2]"]] as const) {
    const metadata = { ...llamaMetadata(shape), [key]: { kind: "i32s", value } as const };
    const bytes = ggufBytes(metadata, llamaF32Tensors(shape, randomLlama(shape)));
    const open = () => ggufModelSource(bytesSource(bytes, "m.gguf"));
    if (message === "") assertEquals((await open()).config.heads, 4);
    else await assertRejects(open, RangeError, `attention.head_count ${message}`);
  }
  refused({ "attention.head_count": ["4", "4"] }, '"attention.head_count" is "4"');
});

Deno.test("a sliding window is read, and which layers have it", () => {
  const [key, pattern] = ["attention.sliding_window", "attention.sliding_window_pattern"];
  const windowOf = (fields: Record<string, unknown>) => {
    const { config, notes } = configOf({ [key]: 64, ...fields });
    assertEquals([config.context, notes], [512, []]);
    return [config.slidingWindow, config.slidingLayers];
  };
  assertEquals(windowOf({}), [64, undefined]);
  assertEquals(windowOf({ [pattern]: 0 }), [64, undefined]);
  assertEquals(windowOf({ [pattern]: 2 }), [64, [0]]);
  assertEquals(windowOf({ [pattern]: 1 }), [undefined, undefined]);
  assertEquals(windowOf({ [pattern]: [false, true] }), [64, [1]]);
  assertEquals(windowOf({ [pattern]: [1, 1] }), [64, undefined]);
  for (const window of [0, 512, 4096]) {
    assertEquals(configOf({ [key]: window }), configOf({}));
  }
  refused({ [key]: "64" }, '"attention.sliding_window" is "64"');
  refused({ [key]: 64, [pattern]: [true] }, "attention.sliding_window_pattern [true]");
  refused({ [key]: 64, [pattern]: -2 }, "attention.sliding_window_pattern -2");
});

Deno.test("keys and values of other models are refused by name, those that do nothing pass", () => {
  const wrong: [Record<string, unknown>, string][] = [
    [{ expert_count: 8 }, "expert_count 8"],
    [{ "attention.clamp_kqv": 8 }, "attention.clamp_kqv 8"],
    [{ "attention.max_alibi_bias": 8 }, "attention.max_alibi_bias 8"],
    [{ use_parallel_residual: true }, "use_parallel_residual true"],
    [{ tensor_data_layout: "other" }, 'tensor_data_layout "other"'],
    [{ logit_scale: 0.0625 }, "logit_scale 0.0625"],
    [{ residual_scale: 0.22 }, "residual_scale 0.22"],
    [{ embedding_scale: 12 }, "embedding_scale 12"],
    [{ "attention.scale": 0.5 }, "attention.scale 0.5"],
    [{ final_logit_softcapping: 30 }, "final_logit_softcapping 30"],
    [{ "attention.value_length": 32 }, "attention.value_length 32 differs"],
    [{ "rope.dimension_count": 12 }, "rope.dimension_count 12 differs"],
    [
      { "attention.key_length": 32, "rope.dimension_count": 32 },
      "attention.value_length 24 differs",
    ],
    [{ "classifier.output_labels": ["a", "b"] }, "classifier.output_labels"],
    [{ pooling_type: 4 }, "pooling_type 4"],
    [{ "rope.dimension_sections": new Int32Array([8, 4, 4, 0]) }, "[8,4,4,0]"],
    [{ "ssm.conv_kernel": 4 }, "ssm.conv_kernel 4"],
    [{ frobnication: 2n }, "frobnication 2 is not known"],
    [
      { "attention.layer_norm_rms_epsilon": undefined },
      '"attention.layer_norm_rms_epsilon" is undefined',
    ],
    [{ context_length: "512" }, '"context_length" is "512"'],
    [{ "rope.freq_base": true }, '"rope.freq_base" is true'],
    [{ "general.type": "adapter" }, 'general.type "adapter"'],
    [{ "general.architecture": "gemma" }, 'architecture "gemma"'],
  ];
  for (const [change, message] of wrong) refused(change, message);
  const harmless = configOf({
    expert_count: 0,
    expert_used_count: 0,
    "attention.clamp_kqv": 0,
    "attention.recurrent_layers": [false, false],
    "rope.dimension_sections": new Int32Array(4),
    "attention.causal": true,
    use_parallel_residual: false,
    tensor_data_layout: "Meta AI original pth",
    logit_scale: 1,
    "attention.scale": 24 ** -0.5,
    "attention.key_length": 24,
    "attention.value_length": 24n,
    "rope.scaling.original_context_length": 4096,
    "rope.scaling.finetuned": false,
    "general.type": "model",
    "general.basename": "x",
    "other.version": 3,
  });
  assertEquals(harmless, configOf({}));
  assertEquals(configOf({ "attention.layer_norm_epsilon": 1e-5 }).notes.length, 1);
});

// llama.cpp too: this is a key of its own, and changes what positions see.
Deno.test("attention that is not causal is refused", async () => {
  refused({ "attention.causal": 0 }, "attention.causal 0");
  // `false` is no empty value here.
  refused({ "attention.causal": false }, "attention.causal false");
  const metadata = { ...llamaMetadata(shape), "llama.rope.scaling.attn_factor": f32(1.5) };
  const bytes = ggufBytes(metadata, llamaF32Tensors(shape, randomLlama(shape)));
  const error = await assertRejects(
    () => ggufModelSource(bytesSource(bytes, "a.gguf")),
    RangeError,
  );
  assert(error.message.includes('"a.gguf"'));
});
