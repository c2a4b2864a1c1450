// Settings of quantised folders: GPTQ's zero points under either name, its rules for modules, transforms, activations, unknown keys.
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Evaluator, loadModel, openModelSource, packBatch } from "../../../../models/mod.ts";
import type { SafetensorsTensorData } from "../../../../quant/mod.ts";
import {
  awqWords,
  gptqWords,
  plainWeights,
  randomMatrix,
  scaleBits,
} from "../../../quant/transposed_writer.ts";
import {
  checkWrittenBack,
  folderShape as shape,
  isLinear,
  quantisedTensors,
  type StoredLinear,
  storedName,
  tensorData,
  wholeGroups,
  withTemp,
  writeFolder,
} from "../../quantised_folder.ts";
import { oracleLoss, textExamples, weightsOf } from "../../small_model.ts";
import {
  aqlmLinear,
  bitsandbytesLinear,
  compressedLinear,
  hqqLinear,
  torchaoLinear,
} from "../../stored_linears.ts";
import { openSharedGpu } from "../../../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

type Settings = Record<string, unknown>;
type Linear = (module: string, rows: number, columns: number, seed: number) => StoredLinear;

/** A GPTQ layer; `zero` is every group's zero point (random where undefined), of the group at `odd` one less. */
function gptqLinear(
  { bits = 4, group = 32, version = "v1", zero, odd, order = true }: {
    bits?: number;
    group?: number;
    version?: "v1" | "v2";
    zero?: number;
    odd?: number;
    order?: boolean;
  },
): Linear {
  return (module, rows, columns, seed) => {
    const random = randomMatrix(seed, bits, group, rows, columns);
    const zeros = random.zeros.map((z, i) => zero === undefined ? z : i === odd ? zero - 1 : zero);
    const m = { ...random, zeros };
    const { qweight, qzeros, gIdx } = gptqWords(m, version);
    const groups = m.scales.length / rows;
    const tensors = [
      tensorData(`${module}.qweight`, "I32", [columns * bits / 32, rows], qweight),
      tensorData(`${module}.qzeros`, "I32", [groups, rows * bits / 32], qzeros),
      tensorData(`${module}.scales`, "F16", [groups, rows], scaleBits(m)),
      ...order ? [tensorData(`${module}.g_idx`, "I32", [columns], gIdx)] : [],
    ];
    return { tensors, weights: plainWeights(m) };
  };
}

/** Opens a folder of such layers: what is stored comes back bit for bit. Answers its notes. */
async function assertDecodes(
  linear: Linear,
  settings: Settings,
  dense?: RegExp,
): Promise<readonly string[]> {
  let notes: readonly string[] = [];
  const { tensors, weights } = quantisedTensors(shape, linear, dense);
  await withTemp(async (folder) => {
    await writeFolder(folder, shape, tensors, { quantization_config: settings });
    using source = await openModelSource(folder);
    const found = await weightsOf(source);
    for (const name of source.tensors.keys()) {
      assertEquals([...found[name]], [...weights[storedName(name)]], name);
    }
    notes = source.notes ?? [];
  });
  return notes;
}

async function assertRefused(
  tensors: readonly SafetensorsTensorData[],
  settings: Settings,
  ...parts: string[]
): Promise<void> {
  await withTemp(async (folder) => {
    await writeFolder(folder, shape, tensors, { quantization_config: settings });
    const { message } = await assertRejects(() => openModelSource(folder), RangeError);
    for (const part of parts) assertStringIncludes(message, part);
  });
}

for (const bits of [2, 3, 4, 8]) {
  Deno.test(`GPTQ, ${bits} bits, sym: zero points are read as what they are, under either label`, async () => {
    const half = 2 ** (bits - 1);
    const settings = { quant_method: "gptq", bits, group_size: 32, sym: true };
    for (const version of ["v1", "v2"] as const) {
      const linear = gptqLinear({ bits, version, zero: half });
      const own = version === "v1" ? "gptq" : "gptq_v2";
      const other = version === "v1" ? "gptq_v2" : "gptq";
      assertEquals(await assertDecodes(linear, { ...settings, checkpoint_format: own }), []);
      const notes = await assertDecodes(linear, { ...settings, checkpoint_format: other });
      assertEquals(notes.length, 1);
      assertStringIncludes(notes[0], `checkpoint_format is "${other}"`);
      assertStringIncludes(notes[0], `7 symmetric tensors are stored as in "${own}"`);
      assertEquals((await assertDecodes(linear, { ...settings, format: other })).length, 1);
    }
    // Stored half in one group and half less one in the next: neither.
    const mixed = gptqLinear({ bits, version: "v2", zero: half, odd: 3 });
    const { tensors } = quantisedTensors(shape, mixed);
    await assertRefused(
      tensors,
      { ...settings, checkpoint_format: "gptq" },
      ".qzeros",
      "sym is true",
    );
  });
}

Deno.test("GPTQ without sym is read by its label, with sym and other zero points too, and a note", async () => {
  const settings = { quant_method: "gptq", bits: 4, group_size: 32 };
  // Asymmetric tensors may have any zero point, all 9 as well.
  assertEquals(await assertDecodes(gptqLinear({ zero: 9 }), { ...settings, sym: false }), []);
  assertEquals(await assertDecodes(gptqLinear({}), settings), []);
  // Settings that do not say are no contradiction: some 7 and some 8 may be asymmetric.
  const both = gptqLinear({ version: "v2", zero: 8, odd: 3 });
  assertEquals(await assertDecodes(both, { ...settings, checkpoint_format: "gptq_v2" }), []);
  const named = { method: "gptq", bits: 4, group_size: 32, format: "gptq" };
  assertEquals(await assertDecodes(gptqLinear({ zero: 8 }), named), []);
  const [note, ...more] = await assertDecodes(gptqLinear({}), { ...settings, sym: true });
  assertStringIncludes(note, "sym is true, but 7 tensors have zero points other than the middle");
  assertEquals(more, []);
});

Deno.test("GPTQ dynamic: each module is read by its rule, and goes back", async () => {
  const rules: [string, string, Settings, Linear][] = [
    ["mlp.down_proj", "+:.*down_proj.*", { group_size: 64 }, gptqLinear({ group: 64 })],
    [
      "mlp.up_proj",
      "model\\.layers\\.0\\.mlp\\.up",
      { bits: 8, damp_percent: 0.1 },
      gptqLinear({ bits: 8 }),
    ],
    [
      "self_attn.q_proj",
      "+:.*q_proj$",
      { bits: 2, group_size: -1 },
      gptqLinear({ bits: 2, group: -1 }),
    ],
    // Only names that match from their start.
    ["self_attn.k_proj", "k_proj", { bits: 8 }, gptqLinear({})],
    // The first rule holds.
    ["mlp.gate_proj", "+:.*(gate|down)_proj", { bits: 3, sym: false }, gptqLinear({ bits: 3 })],
    // Those that leave modules alone come before all others, wherever they stand.
    ["self_attn.v_proj", "+:.*v_proj", { bits: 8 }, gptqLinear({ bits: 8 })],
  ];
  const settings = {
    quant_method: "gptq",
    bits: 4,
    group_size: 32,
    sym: false,
    dynamic: {
      ...Object.fromEntries(rules.map(([, rule, own]) => [rule, own])),
      "-:.*v_proj": {},
    },
  };
  const linear: Linear = (module, ...rest) =>
    (rules.find(([name]) => module.endsWith(name))?.[3] ?? gptqLinear({}))(module, ...rest);
  assertEquals(await assertDecodes(linear, settings, /v_proj/), []);
  const { tensors } = quantisedTensors(shape, linear, /v_proj/);
  await withTemp(async (folder) => {
    await writeFolder(folder, shape, tensors, { quantization_config: settings });
    await checkWrittenBack(folder, /\.scales$/);
    using source = await openModelSource(folder);
    const formats = [...source.tensors].filter(([name]) => isLinear(storedName(name)))
      .map(([name, { format }]) => `${name.split(".")[2]} ${format.name}`);
    assertEquals(formats.sort(), [
      "attn_k int4z_g32",
      "attn_output int4z_g32",
      "attn_q int2z_row",
      "attn_v F32",
      "ffn_down int4z_g64",
      "ffn_gate int3z_g32",
      "ffn_up int8z_g32",
    ]);
    const examples = textExamples(shape.vocabulary, [9, 12]);
    const expected = oracleLoss(shape, await weightsOf(source), examples, "language-modelling");
    using model = await loadModel(gpu, source);
    using evaluator = new Evaluator(model);
    const [{ loss }] = await evaluator.run([packBatch(examples, "language-modelling", 64)]);
    assertAlmostEquals(loss, expected, 1e-4 * expected);
  });
});

Deno.test("AWQ has rules for modules too", async () => {
  const linear: Linear = (module, rows, columns, seed) => {
    const m = randomMatrix(seed, 4, module.includes("down") ? 64 : 32, rows, columns);
    const groups = m.scales.length / rows;
    const { qweight, qzeros } = awqWords(m);
    return {
      tensors: [
        tensorData(`${module}.qweight`, "I32", [columns, rows / 8], qweight),
        tensorData(`${module}.qzeros`, "I32", [groups, rows / 8], qzeros),
        tensorData(`${module}.scales`, "F16", [groups, rows], scaleBits(m)),
      ],
      weights: plainWeights(m),
    };
  };
  const settings = { quant_method: "awq", bits: 4, group_size: 32, zero_point: true };
  await assertDecodes(linear, { ...settings, dynamic: { ".*down": { group_size: 64 } } });
});

Deno.test("rules that cannot be read are refused by name", async () => {
  const { tensors } = quantisedTensors(shape, gptqLinear({}));
  const settings = { quant_method: "gptq", bits: 4, group_size: 32, sym: false };
  const wrong: [unknown, ...string[]][] = [
    [{ "+:.*down.*": { bits: 5 } }, 'dynamic "+:.*down.*"', "bits is 5"],
    [{ "+:.*down.*": { group_size: 100 } }, "group_size is 100"],
    [{ "+:.*down.*": { frob: 1 } }, 'dynamic "+:.*down.*".frob 1 is not known'],
    [{ "+:.*down.*": { adapter: { rank: 8 } } }, "adapter"],
    [{ "+:.*down.*": 3 }, 'dynamic "+:.*down.*" is 3'],
    [{ "+:(": { bits: 8 } }, '"+:("', "not a supported regular expression"],
    [{ "+:(?i).*DOWN": { bits: 8 } }, "not a supported regular expression"],
    [{ "+:(.*)*x": { bits: 8 } }, "forever"],
    [{ "+:(?:a|a)+x": { bits: 8 } }, "forever"],
    [{ "+:.*.*.*.*.*.*.*x": { bits: 8 } }, "forever"],
    [[1], "dynamic is [1]"],
  ];
  for (const [dynamic, ...parts] of wrong) {
    await assertRefused(tensors, { ...settings, dynamic }, ...parts);
  }
  for (const dynamic of [null, {}, { "-:.*nothing.*": {} }, { ".*nothing": { bits: 8 } }]) {
    await assertDecodes(gptqLinear({}), { ...settings, dynamic });
  }
});

Deno.test("GPTQ's other settings: layouts that are not read, adapters, a missing order", async () => {
  const { tensors } = quantisedTensors(shape, gptqLinear({ zero: 8 }));
  const settings = { quant_method: "gptq", bits: 4, group_size: 32, sym: true };
  const wrong: [Settings, ...string[]][] = [
    [{ checkpoint_format: "marlin" }, 'checkpoint_format "marlin"'],
    [{ checkpoint_format: "bitblas" }, 'checkpoint_format "bitblas"'],
    [{ checkpoint_format: 2 }, "checkpoint_format 2"],
    [{ format: "gptq_p" }, 'checkpoint_format "gptq_p"'],
    [{ checkpoint_format: "gptq", format: "gptq_v2" }, "contradict"],
    [{ is_marlin_format: true }, "marlin"],
    [{ version: "gemm" }, 'checkpoint_format "gemm"'],
    [{ method: "awq" }, 'quantization_config.method "awq"'],
    [{ pack_dtype: "int16" }, 'quantization_config.pack_dtype "int16"'],
    [{ adapter: { name: "lora" } }, "quantization_config.adapter"],
    [{ eora: { rank: 8 } }, "quantization_config.eora"],
    [{ rotation: "hadamard" }, 'quantization_config.rotation "hadamard"'],
    [{ act_bits: 8 }, "quantization_config.act_bits 8"],
    [{ new_key: 3 }, "quantization_config.new_key 3 is not known"],
  ];
  for (const [change, ...parts] of wrong) {
    await assertRefused(tensors, { ...settings, ...change }, ...parts);
  }
  const without = quantisedTensors(shape, gptqLinear({ zero: 8, order: false })).tensors;
  await assertRefused(without, { ...settings, desc_act: true }, "g_idx", "desc_act is true");
  const fine = {
    desc_act: false,
    static_groups: true,
    true_sequential: true,
    damp_percent: 0.05,
    lm_head: true,
    pack_dtype: "int32",
    meta: { quantizer: ["gptqmodel:5.4.0"], uri: "x" },
    model_file_base_name: "model",
    adapter: null,
    dataset: "c4",
    use_exllama: true,
  };
  assertEquals(await assertDecodes(gptqLinear({ zero: 8 }), { ...settings, ...fine }), []);
  assertEquals(
    await assertDecodes(gptqLinear({ zero: 8, order: false }), { ...settings, ...fine }),
    [],
  );
});

const int8 = compressedLinear(8, -1, true, { packed: false });
const compressed = (change: Settings = {}, group: Settings = {}, weights: Settings = {}) => ({
  quant_method: "compressed-tensors",
  format: "int-quantized",
  quantization_status: "compressed",
  config_groups: {
    group_0: {
      targets: ["Linear"],
      weights: { num_bits: 8, type: "int", symmetric: true, strategy: "channel", ...weights },
      input_activations: null,
      ...group,
    },
  },
  ignore: ["lm_head"],
  ...change,
});

Deno.test("compressed-tensors: transforms of inputs and outputs are refused, those of weights are in them", async () => {
  const { tensors } = quantisedTensors(shape, int8);
  const transform = (locations: string[], change: Settings = {}) => ({
    transform_config: {
      config_groups: {
        R4: {
          type: "hadamard",
          apply: locations.map((location) => ({ targets: ["re:.*down_proj$"], location })),
          randomize: false,
          ...change,
        },
      },
    },
  });
  for (const location of ["input", "output", "k_cache", "q_attn", "attn", "weight"]) {
    const settings = compressed(transform(["weight_input", location]));
    await assertRefused(tensors, settings, "quantization_config.transform_config", `"${location}"`);
  }
  const trainable = compressed(transform(["weight_input"], { requires_grad: true }));
  await assertRefused(tensors, trainable, "transform_config", "requires_grad true");
  await assertRefused(
    tensors,
    compressed({ transform_config: { rotate: 3 } }),
    "rotate 3 is not known",
  );
  const { transform_config } = transform(["input"]);
  await withTemp(async (folder) => {
    await writeFolder(folder, shape, tensors, {
      quantization_config: compressed(),
      transform_config,
    });
    await assertRejects(() => openModelSource(folder), RangeError, "transform_config");
  });
  const inWeights = compressed(transform(["weight_input", "weight_output"]));
  assertEquals(await assertDecodes(int8, inWeights), []);
  assertEquals(await assertDecodes(int8, compressed({ transform_config: {} })), []);
});

Deno.test("compressed-tensors: rounded activations make a note, packed sparse weights and others are refused", async () => {
  const activations = {
    num_bits: 8,
    type: "int",
    strategy: "token",
    dynamic: true,
    symmetric: true,
  };
  const [note] = await assertDecodes(int8, compressed({}, { input_activations: activations }));
  assertStringIncludes(note, "quantization_config.config_groups.group_0.input_activations");
  const quant_type = { default: { _type: "Int8DynamicActivationInt8WeightConfig", _data: {} } };
  const torchao = { quant_method: "torchao", quant_type };
  assertStringIncludes(
    (await assertDecodes(torchaoLinear(-1, true), torchao)).join(),
    "quant_type",
  );
  const cache = { kv_cache_scheme: { num_bits: 8, type: "float" } };
  assertStringIncludes((await assertDecodes(int8, compressed(cache))).join(), "kv_cache_scheme");
  assertEquals(await assertDecodes(int8, compressed({ sparsity_config: { format: "dense" } })), []);
  const { tensors } = quantisedTensors(shape, int8);
  const wrong: [Settings, string][] = [
    [compressed({ sparsity_config: { format: "sparse-24-bitmask" } }), "sparsity_config.format"],
    [compressed({ rotate: 1 }), "quantization_config.rotate 1"],
    [compressed({}, { frob: 1 }), "config_groups.group_0.frob 1"],
    [compressed({}, {}, { block_structure: [2, 4] }), "weights.block_structure [2,4]"],
    [compressed({}, {}, { dynamic: true }), "weights.dynamic true"],
  ];
  for (const [settings, message] of wrong) await assertRefused(tensors, settings, message);
  const grouped = compressedLinear(4, 32, true);
  const scattered = {
    ...compressed({ format: "pack-quantized" }, {}, {
      num_bits: 4,
      strategy: "group",
      group_size: 32,
      actorder: "group",
    }),
  };
  await assertRefused(
    quantisedTensors(shape, grouped).tensors,
    scattered,
    "weight_g_idx",
    "actorder",
  );
});

Deno.test("a key that is not known is refused under every method", async () => {
  const methods: [Settings, Linear][] = [
    [{ quant_method: "gptq", bits: 4, group_size: 32, sym: false }, gptqLinear({})],
    [{ quant_method: "hqq" }, hqqLinear("8bit_u8", 32)],
    [compressed(), int8],
    [
      { quant_method: "aqlm", num_codebooks: 1, nbits_per_codebook: 8, in_group_size: 8 },
      aqlmLinear(1),
    ],
    [{ quant_method: "torchao", quant_type: "int8_weight_only" }, torchaoLinear(-1, true)],
    [{ quant_method: "bitsandbytes", load_in_4bit: true }, bitsandbytesLinear("nf4", 32)],
  ];
  for (const [settings, linear] of methods) {
    const { tensors } = quantisedTensors(wholeGroups, linear);
    await withTemp(async (folder) => {
      const write = (change: Settings) =>
        writeFolder(folder, wholeGroups, tensors, {
          quantization_config: { ...settings, ...change },
        });
      await write({ twist: null, turn: false, note: "by hand" });
      using source = await openModelSource(folder);
      assertEquals(source.notes?.length, 1, settings.quant_method as string);
      await write({ twist: 0.5 });
      await assertRejects(
        () => openModelSource(folder),
        RangeError,
        "quantization_config.twist 0.5 is not known here",
      );
    });
  }
  assert(methods.length > 5);
});

Deno.test("compressed-tensors: modules have the scheme of the group that targets them", async () => {
  const [ofFour, ofEight] = [compressedLinear(4, 32, true), compressedLinear(8, -1, true)];
  const linear: Linear = (module, ...rest) =>
    (module.includes("down_proj") ? ofEight : ofFour)(module, ...rest);
  const weights = (bits: number, group?: number) => ({
    num_bits: bits,
    type: "int",
    symmetric: true,
    ...group ? { strategy: "group", group_size: group } : { strategy: "channel" },
  });
  const settings = (eight: unknown, four: unknown = ["Linear"]) => ({
    quant_method: "compressed-tensors",
    format: "pack-quantized",
    config_groups: {
      group_0: { targets: four, weights: weights(4, 32) },
      group_1: { targets: eight, weights: weights(8) },
    },
    ignore: ["lm_head"],
  });
  const down = "model.layers.0.mlp.down_proj";
  for (
    const [eight, four] of [
      [["re:.*down_proj$"]],
      [["re:.*down"]],
      [[down]],
      // A name counts before an expression, whatever the order of the groups.
      [[down], ["re:.*mlp.*", "Linear"]],
      [["re:.*down_proj"], ["re:.*self_attn.*", "re:.*(gate|up)_proj$"]],
    ]
  ) assertEquals(await assertDecodes(linear, settings(eight, four)), []);
  const { tensors } = quantisedTensors(shape, linear);
  const refused: [unknown, unknown, ...string[]][] = [
    [["re:.*down_proj"], ["re:.*mlp.*", "Linear"], `"${down}"`, "both target it", '"re:.*mlp.*"'],
    [["Linear"], ["Linear"], "both target it"],
    [[down], ["re:.*self_attn.*"], `"model.layers.0.mlp.gate_proj"`, "none of the config_groups"],
    [["re:.*down_proj"], "Linear", 'group_0.targets is "Linear"'],
    [["re:("], ["Linear"], '"re:("', "not a supported regular expression"],
    [["re:(.*)*x"], ["Linear"], "forever"],
  ];
  for (const [eight, four, ...parts] of refused) {
    await assertRefused(tensors, settings(eight, four), ...parts);
  }
  // As vLLM's tools write it where the groups have forms of their own.
  const { config_groups: { group_0, group_1 }, ...rest } = settings(["re:.*down_proj"]);
  const format = "pack-quantized";
  const mixed = {
    ...rest,
    format: "mixed-precision",
    config_groups: { group_0: { ...group_0, format }, group_1: { ...group_1, format } },
  };
  assertEquals(await assertDecodes(linear, mixed), []);
  await assertRefused(
    tensors,
    {
      ...mixed,
      config_groups: { ...mixed.config_groups, c: { ...group_0, format: "float-quantized" } },
    },
    'format is "float-quantized"',
  );
  // Expressions are matched from the start of a name: down_proj is then of the other group, whose codes are narrower.
  await withTemp(async (folder) => {
    const quantization_config = settings(["re:down_proj"]);
    await writeFolder(folder, shape, tensors, { quantization_config });
    await assertRejects(() => openModelSource(folder), TypeError, `${down}.weight_packed`);
  });
});
