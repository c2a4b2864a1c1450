import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import { openGpu } from "../../../../kernels/mod.ts";
import {
  Evaluator,
  loadModel,
  openModelSource,
  packBatch,
  writeAdapter,
  writeModel,
} from "../../../../models/mod.ts";
import { foldedSource } from "../../../../models/checkpoints/derived/folded.ts";
import { adaptedSource } from "../../../../models/checkpoints/derived/tuned_values.ts";
import { planOffsets, type Selection } from "../../../../train/selection.ts";
import { Trainer } from "../../../../train/steps/trainer.ts";
import { qzoNormalised } from "../../../../optim/mod.ts";
import { decode, type SafetensorsTensorData } from "../../../../quant/mod.ts";
import { secondPart } from "../../../../quant/layouts/trained_part.ts";
import { exportTuned, trainedTensors } from "../../../../train/mod.ts";
import type { LlamaShape } from "../../../reference/llama.ts";
import { sampled } from "../../../support/sampled.ts";
import {
  checkWrittenBack,
  folderShape,
  isLinear,
  quantisedTensors,
  randomOffsets,
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
  torchaoInt4Linear,
  torchaoLinear,
} from "../../stored_linears.ts";

type Settings = Record<string, unknown>;

/** One way of storing a folder. */
interface Case {
  readonly settings: Settings;
  readonly linear: (module: string, rows: number, columns: number, seed: number) => StoredLinear;
  /** The format that its linear layers open as. */
  readonly format: string | RegExp;
  readonly shape?: LlamaShape;
  /** The tensors that trained scales may change. */
  readonly scales: RegExp;
  /** The tensors of codebooks or minima, where those can be trained. */
  readonly second?: RegExp;
  /** Of values that are rounded twice, to f16 and to the file's type. */
  readonly tolerance?: number;
  /** Of the offsets; default 1. */
  readonly amplitude?: number;
  /** Whether a step of training is tried. */
  readonly trains?: boolean;
}

const hqq = { quant_method: "hqq", quant_config: {}, skip_modules: ["lm_head"] };
const aqlm = {
  quant_method: "aqlm",
  in_group_size: 8,
  out_group_size: 1,
  nbits_per_codebook: 8,
  linear_weights_not_to_quantize: ["lm_head.weight"],
};
const compressed = (weights: Settings, format = "pack-quantized") => ({
  quant_method: "compressed-tensors",
  format,
  config_groups: { group_0: { targets: ["Linear"], weights: { type: "int", ...weights } } },
  ignore: ["lm_head"],
});
const BF16 = { dtype: "BF16" } as const;

const CASES: Record<string, Case> = {
  "HQQ, 4 bits in groups of 64": {
    settings: hqq,
    linear: hqqLinear("4bit_u8", 64),
    trains: true,
    format: "int4z_g64",
    shape: wholeGroups,
    second: /\.zero$/,
    scales: /\.scale$/,
  },
  "HQQ, 8 bits a row, bf16": {
    settings: hqq,
    linear: hqqLinear("8bit_u8", -1, BF16),
    format: "int8z_row",
    second: /\.zero$/,
    scales: /\.scale$/,
    tolerance: 2 ** -8,
  },
  "HQQ, 3 bits in groups of 32": {
    settings: hqq,
    linear: hqqLinear("3bit_32", 32),
    format: "int3z_g32",
    scales: /\.scale$/,
  },
  "HQQ, 2 bits in groups of 32, viewed as floats": {
    settings: hqq,
    linear: hqqLinear("2bit_u8", 32, { asFloat: true }),
    format: "int2z_g32",
    scales: /\.scale$/,
  },
  "HQQ, 4 bits along axis 0": {
    settings: hqq,
    linear: hqqLinear("4bit_u8", 16, { axis: 0 }),
    trains: true,
    format: /^int4c_r(4|8|16)$/,
    shape: wholeGroups,
    scales: /\.scale$/,
  },
  "HQQ, 3 bits along axis 0, bf16": {
    settings: hqq,
    linear: hqqLinear("3bit_32", 8, { axis: 0, dtype: "BF16" }),
    format: /^int3c_r(8|16|32)$/,
    shape: wholeGroups,
    scales: /\.scale$/,
    tolerance: 2 ** -8,
  },
  "compressed-tensors, symmetric 4 bits in groups of 128, bf16": {
    settings: compressed({ num_bits: 4, strategy: "group", group_size: 128, symmetric: true }),
    linear: compressedLinear(4, 128, true, BF16),
    format: "int4_g128",
    shape: { ...folderShape, hidden: 256, feedForward: 256 },
    scales: /\.weight_scale$/,
    tolerance: 2 ** -8,
  },
  "compressed-tensors, 4 bits with zero points in groups of 32": {
    settings: compressed({ num_bits: 4, group_size: 32, symmetric: false, actorder: "weight" }),
    linear: compressedLinear(4, 32, false),
    trains: true,
    format: "int4z_g32",
    scales: /\.weight_scale$/,
  },
  "compressed-tensors, packed 8 bits a row, f32": {
    settings: compressed({ num_bits: 8, strategy: "channel", symmetric: true }),
    linear: compressedLinear(8, -1, true, { dtype: "F32" }),
    format: "int8_row",
    scales: /\.weight_scale$/,
    tolerance: 2 ** -11,
  },
  "compressed-tensors, signed bytes": {
    settings: compressed({ num_bits: 8, strategy: "channel", symmetric: true }, "int-quantized"),
    linear: compressedLinear(8, -1, true, { packed: false }),
    format: "int8_row",
    scales: /\.weight_scale$/,
  },
  "torchao, 8 bits a row": {
    settings: {
      quant_method: "torchao",
      quant_type: { default: { _type: "Int8WeightOnlyConfig" } },
    },
    linear: torchaoLinear(-1, true),
    format: "int8_row",
    scales: /\._weight_scale$/,
    tolerance: 2 ** -8,
  },
  "torchao, bytes with zero points in groups of 32": {
    settings: {
      quant_method: "torchao",
      quant_type: { default: { _type: "IntxWeightOnlyConfig" } },
    },
    linear: torchaoLinear(32, false),
    format: "int8z_g32",
    scales: /\._weight_scale$/,
    tolerance: 2 ** -8,
  },
  "torchao, int4 in rows, groups of 32": {
    settings: { quant_method: "torchao" },
    linear: torchaoInt4Linear("rows", 32),
    trains: true,
    format: "int4m_g32",
    second: /\._weight_zero_point$/,
    // Relative offsets multiply what is added, too.
    scales: /\._weight_(scale|zero_point)$/,
  },
  "torchao, int4 in tiles, groups of 64, bf16": {
    settings: { quant_method: "torchao" },
    linear: torchaoInt4Linear("tiles", 64, BF16),
    format: "int4m_g64",
    second: /\._weight_scale_and_zero$/,
    scales: /\._weight_scale_and_zero$/,
    tolerance: 2 ** -8,
  },
  "AQLM 1x8": {
    settings: { ...aqlm, num_codebooks: 1 },
    linear: aqlmLinear(1),
    trains: true,
    format: "codebook1x8",
    second: /\.codebooks$/,
    scales: /\.scales$/,
  },
  "AQLM 2x8, bf16": {
    settings: { ...aqlm, num_codebooks: 2 },
    linear: aqlmLinear(2, BF16),
    format: "codebook2x8",
    second: /\.codebooks$/,
    scales: /\.scales$/,
    tolerance: 2 ** -8,
  },
  "AQLM 1x16": {
    settings: { ...aqlm, num_codebooks: 1, nbits_per_codebook: 16 },
    linear: aqlmLinear(1, { bits: 16 }),
    format: "codebook1x16",
    scales: /\.scales$/,
  },
  "AQLM 3x7 of 16 columns": {
    settings: { ...aqlm, num_codebooks: 3, nbits_per_codebook: 7, in_group_size: 16 },
    linear: aqlmLinear(3, { bits: 7, vector: 16 }),
    trains: true,
    format: "codebook3x7_v16",
    shape: wholeGroups,
    second: /\.codebooks$/,
    scales: /\.scales$/,
  },
};

const bitsandbytes = {
  quant_method: "bitsandbytes",
  load_in_4bit: true,
  bnb_4bit_quant_type: "nf4",
  llm_int8_skip_modules: ["lm_head"],
};
Object.assign(CASES, {
  "NF4 in blocks of 64": {
    settings: bitsandbytes,
    linear: bitsandbytesLinear("nf4", 64),
    format: "nf4_g64",
    shape: wholeGroups,
    trains: true,
    scales: /\.weight\.absmax$/,
    tolerance: 2 ** -11,
  },
  "NF4 in blocks of 32, doubly quantised": {
    settings: bitsandbytes,
    linear: bitsandbytesLinear("nf4", 32, { nested: true }),
    format: "nf4_g32",
    scales: /\.weight\.absmax$/,
    tolerance: 2 ** -6,
    amplitude: 0.2,
  },
  "FP4 in blocks of 64, stored as bf16": {
    settings: bitsandbytes,
    linear: bitsandbytesLinear("fp4", 64, { storage: "BF16" }),
    format: "fp4_g64",
    shape: wholeGroups,
    scales: /\.weight\.absmax$/,
    tolerance: 2 ** -11,
  },
});

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const trained = Object.keys(CASES).filter((name) => CASES[name].trains);
const trainedToday = sampled("trained sources", trained, 1 / 2);

for (
  const [name, { settings, linear, format, shape = folderShape, trains, second, ...back }] of Object
    .entries(CASES)
) {
  Deno.test(`${name}: opens as ${format}, bit for bit; goes back with scales changed alone`, async () => {
    // Modules that were left alone lie dense beside the others.
    const { tensors, weights } = quantisedTensors(shape, linear, /k_proj/);
    await withTemp(async (folder) => {
      await writeFolder(folder, shape, tensors, { quantization_config: settings });
      using source = await openModelSource(folder);
      const found = await weightsOf(source);
      for (const [tensor, { format: opened }] of source.tensors) {
        const dense = !isLinear(storedName(tensor)) || tensor.includes("attn_k");
        assertMatch(
          opened.name,
          dense ? /^F32$/ : typeof format === "string" ? new RegExp(`^${format}$`) : format,
          tensor,
        );
        assertEquals(Float32Array.from(found[tensor]), weights[storedName(tensor)], tensor);
      }
      const q = source.tensors.get("blk.0.attn_q.weight")!;
      await assertRejects(() => q.read(q.rows - 1, 2), RangeError, `it has ${q.rows}`);
      await checkWrittenBack(folder, back.scales, back);
      if (!second) return;
      await checkWrittenBack(folder, second, { ...back, parts: ["second"] });
      const both = new RegExp(`${back.scales.source}|${second.source}`);
      await checkWrittenBack(folder, both, { ...back, parts: ["scales", "second"] });
    });
  });

  if (!trains || !trainedToday.includes(name)) continue;
  Deno.test(`${name}: loss is the oracle's, a step moves every trained plane`, async () => {
    const { tensors } = quantisedTensors(shape, linear);
    await withTemp(async (folder) => {
      await writeFolder(folder, shape, tensors, { quantization_config: settings });
      using source = await openModelSource(folder);
      using model = await loadModel(gpu, source);
      const examples = textExamples(shape.vocabulary, [9, 12]);
      const batch = packBatch(examples, "language-modelling", 64);
      using evaluator = new Evaluator(model);
      const [{ loss }] = await evaluator.run([batch]);
      const expected = oracleLoss(shape, await weightsOf(source), examples, "language-modelling");
      assertAlmostEquals(loss, expected, 1e-4 * expected);
      const kinds = ["scales", "codebooks", "minima"] as const;
      const [layout] = [...source.tensors.values()].map(({ format }) => format.layout)
        .filter(({ kind }) => kind !== "dense");
      const plan = (kinds?: Selection["kinds"]) =>
        planOffsets(model, "relative", gpu.maxBinding, kinds ? { kinds } : {});
      if (!second && (secondPart(layout) || layout.kind === "column")) {
        assertThrows(() => plan(kinds), RangeError, "Cannot train the minima or zero points");
      }
      using offsets = plan(second ? kinds : undefined).allocate(gpu);
      assertEquals(offsets.trainables.length, second ? 14 : 7);
      // Zero points near 8 have steps of 2^-7 in f16: a small step would drown in their rounding.
      const learningRate = second ? 0.1 : 0.02;
      using trainer = new Trainer(model, qzoNormalised({ learningRate }), offsets, { seed: 1 });
      trainer.enqueue(0, batch);
      assertEquals((await trainer.drain()).map((r) => r.halted), [false]);
      const moved = await offsets.read(gpu);
      for (const [tensor, values] of moved) {
        assert(values.some((w) => w !== 0), `${tensor} did not move`);
      }
      // What is written gives the loss of the offsets, but for the rounding of scales.
      using offsetEvaluator = new Evaluator(model, offsets);
      const [{ loss: tunedLoss }] = await offsetEvaluator.run([batch]);
      const out = join(folder, "tuned");
      await exportTuned(source, trainedTensors(offsets.trainables, moved), out);
      using written = await openModelSource(out);
      using tuned = await loadModel(gpu, written);
      using fileEvaluator = new Evaluator(tuned);
      const [{ loss: fileLoss }] = await fileEvaluator.run([batch]);
      assertAlmostEquals(fileLoss, tunedLoss, 0.2 * Math.abs(tunedLoss - loss) + 1e-4);
      assertNotEquals(tunedLoss, loss);
    });
  });
}

Deno.test("HQQ's own folders have no settings; a head may be quantised, or stay as it is", async () => {
  for (const also of [/^lm_head/, /^$/]) {
    const { tensors, weights } = quantisedTensors(
      folderShape,
      hqqLinear("4bit_u8", 32),
      /^$/,
      also,
    );
    await withTemp(async (folder) => {
      await writeFolder(folder, folderShape, tensors, {});
      using source = await openModelSource(folder);
      const head = source.tensors.get("output.weight")!;
      assertEquals(head.format.name, also.test("lm_head") ? "int4z_g32" : "F32");
      assertEquals(source.tensors.get("token_embd.weight")!.format.name, "F32");
      const found = await weightsOf(source);
      assertEquals(Float32Array.from(found["output.weight"]), weights["lm_head.weight"]);
      await checkWrittenBack(folder, /\.scale$/);
    });
  }
});

Deno.test("scales per column go into own folders and adapters, and by rows", async () => {
  const { tensors } = quantisedTensors(wholeGroups, hqqLinear("4bit_u8", 16, { axis: 0 }));
  await withTemp(async (out) => {
    const folder = join(out, "base");
    await Deno.mkdir(folder);
    await writeFolder(folder, wholeGroups, tensors, { quantization_config: hqq });
    using source = await openModelSource(folder);
    const name = "blk.0.ffn_up.weight";
    const up = source.tensors.get(name)!;
    const whole = decode(await up.read(0, up.rows));
    assertEquals(decode(await up.read(38, 5)), whole.slice(38 * up.columns, 43 * up.columns));

    const own = join(out, "own");
    await writeModel({ ...source, folder: undefined }, own);
    using packed = await openModelSource(own);
    assertEquals(packed.tensors.get(name)!.format.name, "int4c_r16");
    assertEquals(await weightsOf(packed), await weightsOf(source));
    await checkWrittenBack(own, /\.scales$/);

    const trained = randomOffsets(source);
    const adapter = join(out, "adapter.safetensors");
    await writeAdapter(source, trained, adapter);
    using adapted = await adaptedSource(source, adapter);
    const folded = await weightsOf(foldedSource(source, trained));
    assertEquals(await weightsOf(adapted), folded);
    assertNotEquals(folded[name], (await weightsOf(source))[name]);
  });
});

Deno.test("settings that cannot be read are refused by field", async () => {
  const good = { num_bits: 4, group_size: 32, symmetric: true };
  const wrong: [Settings, string][] = [
    [compressed({ ...good, num_bits: 5 }), "num_bits is 5"],
    [compressed({ ...good, type: "float" }), 'type is "float"'],
    [compressed({ ...good, group_size: 16 }), "group_size is 16"],
    [compressed({ ...good, strategy: "tensor" }), 'strategy is "tensor"'],
    [compressed({ ...good, symmetric: 1 }), "symmetric is 1"],
    [compressed(good, "marlin-24"), 'format is "marlin-24"'],
    [compressed(good, "int-quantized"), "num_bits is 4"],
    [{ ...compressed(good), config_groups: undefined }, "config_groups is undefined"],
    [{ ...compressed(good), config_groups: {} }, "config_groups has no group"],
    [{ ...compressed(good), config_groups: { a: { weights: null } } }, "weights is null"],
    [{ ...aqlm, num_codebooks: 1, nbits_per_codebook: 17 }, "nbits_per_codebook is 17"],
    [{ ...aqlm, num_codebooks: 8 }, "num_codebooks is 8"],
    [{ ...aqlm, num_codebooks: 1, in_group_size: 32 }, "in_group_size is 32"],
    [{ ...bitsandbytes, load_in_4bit: false, load_in_8bit: true }, "load_in_4bit is false"],
    [{ ...aqlm, num_codebooks: 1, out_group_size: 2 }, "out_group_size is 2"],
  ];
  const { tensors } = quantisedTensors(folderShape, hqqLinear("8bit_u8", 32));
  await withTemp(async (folder) => {
    for (const [settings, message] of wrong) {
      await writeFolder(folder, folderShape, tensors, { quantization_config: settings });
      await assertRejects(() => openModelSource(folder), RangeError, message);
    }
  });
});

/** What is refused of one plane of one layer, when the folder opens or the tensor is read. */
type Change = (t: SafetensorsTensorData) => SafetensorsTensorData | undefined;
const gone: Change = () => undefined;
const as = (dtype: SafetensorsTensorData["dtype"]): Change => (t) => ({ ...t, dtype });
const flat: Change = (t) => ({ ...t, shape: [t.shape.reduce((a, b) => a * b, 1)] });
const filled = (byte: number): Change => (t) => ({
  ...t,
  bytes: new Uint8Array((t.bytes as Uint8Array).length).fill(byte),
});

const state = (fields: Settings): Change => (t) => {
  const given = JSON.parse(new TextDecoder().decode(t.bytes as Uint8Array));
  const bytes = new TextEncoder().encode(JSON.stringify({ ...given, ...fields }));
  return { ...t, shape: [bytes.length], bytes };
};

const LIES: [string, string, Change, string][] = [
  ["HQQ, 3 bits in groups of 32", "W_q", flat, ""],
  [
    "HQQ, 3 bits in groups of 32",
    "W_q",
    (t) => ({ ...t, shape: [7, 32], bytes: new Uint8Array(896) }),
    "expected",
  ],
  ["HQQ, 3 bits in groups of 32", "scale", gone, "is missing"],
  ["HQQ, 3 bits in groups of 32", "zero", flat, "F16 of shape"],
  ["HQQ, 3 bits in groups of 32", "scale", as("I16"), "I16 of shape"],
  ["HQQ, 3 bits in groups of 32", "axis", filled(1), "axis is 16843009"],
  ["HQQ, 3 bits in groups of 32", "axis", filled(0), "expected 8192 bytes"],
  ["HQQ, 4 bits along axis 0", "group_size", filled(0), "groups of 0 along axis 0"],
  ["HQQ, 4 bits along axis 0", "scale", flat, "F16 of shape"],
  ["HQQ, 3 bits in groups of 32", "axis", gone, "is missing"],
  ["HQQ, 3 bits in groups of 32", "shape", filled(1), "its shape is"],
  ["HQQ, 3 bits in groups of 32", "group_size", filled(0), "groups of 0"],
  ["HQQ, 3 bits in groups of 32", "group_size", filled(255), "groups of -1"],
  ["HQQ, 3 bits in groups of 32", "packing", filled(65), 'packing is "AAAAAAA"'],
  ["HQQ, 3 bits in groups of 32", "quant_scale", filled(1), "quant_scale is set"],
  [
    "compressed-tensors, 4 bits with zero points in groups of 32",
    "weight_packed",
    gone,
    "is missing",
  ],
  [
    "compressed-tensors, 4 bits with zero points in groups of 32",
    "weight_shape",
    filled(0),
    "weight_shape is",
  ],
  [
    "compressed-tensors, 4 bits with zero points in groups of 32",
    "weight_zero_point",
    gone,
    "is missing",
  ],
  [
    "compressed-tensors, 4 bits with zero points in groups of 32",
    "weight_scale",
    as("I16"),
    "I16 of shape",
  ],
  [
    "compressed-tensors, packed 8 bits a row, f32",
    "weight_scale",
    filled(0x7f),
    "does not fit f16",
  ],
  ["torchao, 8 bits a row", "_weight_qdata", as("U8"), "readable are one signed byte a code"],
  ["torchao, 8 bits a row", "_weight_qdata", flat, "readable are one signed byte a code"],
  ["torchao, 8 bits a row", "_weight_scale", flat, "BF16 of shape"],
  ["torchao, 8 bits a row", "_weight_scale", gone, "is missing"],
  ["torchao, int4 in rows, groups of 32", "_weight_qdata", flat, "int4 in tiles"],
  ["torchao, int4 in rows, groups of 32", "_weight_scale", flat, "F16 of shape"],
  ["torchao, int4 in rows, groups of 32", "_weight_zero_point", gone, "is missing"],
  [
    "torchao, int4 in rows, groups of 32",
    "_weight_scale",
    (t) => ({ ...t, shape: [3, 128], bytes: new Uint8Array(768) }),
    "BF16 or F32 of [3,128]",
  ],
  ["torchao, int4 in tiles, groups of 64, bf16", "_weight_scale_and_zero", gone, "is missing"],
  ["torchao, int4 in tiles, groups of 64, bf16", "_weight_scale_and_zero", flat, "BF16 of shape"],
  [
    "torchao, int4 in tiles, groups of 64, bf16",
    "_weight_qdata",
    (t) => ({ ...t, shape: [16, 16, 32, 2] }),
    "",
  ],
  [
    "torchao, int4 in tiles, groups of 64, bf16",
    "_weight_qdata",
    (t) => ({ ...t, shape: [32, 4, 32, 4] }),
    "I32 of shape",
  ],
  ["AQLM 1x8", "codebooks", gone, "is missing"],
  ["AQLM 1x8", "codes", flat, "I8 of shape"],
  ["AQLM 1x8", "scales", flat, "F16 of shape"],
  ["NF4 in blocks of 64", "weight", flat, "in one column"],
  ["NF4 in blocks of 64", "weight.quant_map", filled(0), "code 0 stands for 0, expected -1"],
  ["NF4 in blocks of 64", "weight.quant_map", filled(255), "code 0 stands for NaN"],
  ["NF4 in blocks of 64", "weight.quant_state.bitsandbytes__nf4", filled(123), "JSON"],
  ["NF4 in blocks of 64", "weight.quant_state.bitsandbytes__nf4", gone, "neither nf4 and fp4"],
  [
    "NF4 in blocks of 64",
    "weight.quant_state.bitsandbytes__nf4",
    state({ blocksize: 48 }),
    "groups of 48",
  ],
  [
    "NF4 in blocks of 64",
    "weight.quant_state.bitsandbytes__nf4",
    state({ shape: [1] }),
    "shape is [1]",
  ],
  [
    "NF4 in blocks of 64",
    "weight.quant_state.bitsandbytes__nf4",
    state({ quant_type: "fp4" }),
    'quant_type is "fp4"',
  ],
  ["NF4 in blocks of 64", "weight.absmax", filled(0x7f), "does not fit f16"],
  [
    "NF4 in blocks of 32, doubly quantised",
    "weight.nested_absmax",
    filled(0x7f),
    "does not fit f16",
  ],
  ["NF4 in blocks of 32, doubly quantised", "weight.nested_absmax", flat, ""],
  ["NF4 in blocks of 32, doubly quantised", "weight.nested_quant_map", gone, "is missing"],
  ["NF4 in blocks of 32, doubly quantised", "weight.nested_absmax", gone, "U8 of shape"],
  [
    "NF4 in blocks of 32, doubly quantised",
    "weight.quant_state.bitsandbytes__nf4",
    state({ nested_blocksize: 0 }),
    "nested_blocksize is 0",
  ],
  [
    "NF4 in blocks of 32, doubly quantised",
    "weight.quant_state.bitsandbytes__nf4",
    state({ nested_offset: null }),
    "nested_offset is null",
  ],
];

Deno.test("planes that lie about themselves are refused, by tensor", async () => {
  const module = "model.layers.0.self_attn.o_proj";
  for (const [name, plane, change, message] of LIES) {
    const { settings, linear, shape = folderShape } = CASES[name];
    const { tensors } = quantisedTensors(shape, linear);
    const changed = tensors.flatMap((t) => t.name === `${module}.${plane}` ? change(t) ?? [] : t);
    await withTemp(async (folder) => {
      await writeFolder(folder, shape, changed, { quantization_config: settings });
      const open = async () => {
        using source = await openModelSource(folder);
        await weightsOf(source);
      };
      if (message === "") return await open();
      const error = await assertRejects(open, Error, message);
      assert(
        [RangeError, TypeError, SyntaxError].includes(error.constructor as typeof RangeError),
        `${name} ${plane}: ${error}`,
      );
      assert(error.message.includes(module), error.message);
    });
  }
  const { settings, linear } = CASES["compressed-tensors, signed bytes"];
  const { tensors } = quantisedTensors(folderShape, linear);
  await withTemp(async (folder) => {
    const extra = tensorData(`${module}.weight_g_idx`, "I32", [128], new Int32Array(128).fill(1));
    await writeFolder(folder, folderShape, [...tensors, extra], { quantization_config: settings });
    await assertRejects(() => openModelSource(folder), RangeError, "column 0 in group 1");
  });
});
