import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  Evaluator,
  fingerprint,
  loadModel,
  openModelSource,
  packBatch,
  writeModel,
} from "../../../../models/mod.ts";
import { foldedSource } from "../../../../models/checkpoints/derived/folded.ts";
import { planOffsets } from "../../../../train/selection.ts";
import { Trainer } from "../../../../train/steps/trainer.ts";
import { qzoNormalised } from "../../../../optim/mod.ts";
import {
  offsetCount,
  packedToGptqScales,
  type SafetensorsTensorData,
  writeSafetensors,
} from "../../../../quant/mod.ts";
import {
  awqWords,
  gptqWords,
  plainWeights,
  randomMatrix,
  scaleBits,
} from "../../../quant/transposed_writer.ts";
import {
  checkWrittenBack,
  folderShape,
  isLinear,
  quantisedTensors,
  storedName,
  tensorData,
  withTemp,
  writeFolder as writeAnyFolder,
} from "../../quantised_folder.ts";
import { huggingFaceConfig, oracleLoss, textExamples, weightsOf } from "../../small_model.ts";
import { openSharedGpu } from "../../../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = folderShape;

type Settings = Record<string, unknown>;

/** The files' tensors and what they decode to; `dense` names modules that stay unquantised. */
function quantisedLlama(
  settings: Settings,
  dense?: RegExp,
): { tensors: SafetensorsTensorData[]; weights: Record<string, Float32Array> } {
  const bits = settings.bits as number;
  const group = settings.group_size as number;
  return quantisedTensors(shape, (module, rows, columns, seed) => {
    const m = randomMatrix(seed, bits, group, rows, columns);
    const groups = m.scales.length / rows;
    const tensors = [tensorData(`${module}.scales`, "F16", [groups, rows], scaleBits(m))];
    const add = (plane: string, dimensions: number[], words: Int32Array<ArrayBuffer>) =>
      tensors.push(tensorData(`${module}.${plane}`, "I32", dimensions, words));
    if (settings.quant_method === "awq") {
      const { qweight, qzeros } = awqWords(m);
      add("qweight", [columns, rows / 8], qweight);
      add("qzeros", [groups, rows / 8], qzeros);
    } else {
      const version = settings.checkpoint_format === "gptq_v2" ? "v2" : "v1";
      const { qweight, qzeros, gIdx } = gptqWords(m, version);
      add("qweight", [columns * bits / 32, rows], qweight);
      add("qzeros", [groups, rows * bits / 32], qzeros);
      add("g_idx", [columns], gIdx);
      tensors.push(tensorData(`${module}.bias`, "F16", [rows], new Uint16Array(rows)));
    }
    return { tensors, weights: plainWeights(m) };
  }, dense);
}

const writeFolder = (folder: string, tensors: SafetensorsTensorData[], config: Settings) =>
  writeAnyFolder(folder, shape, tensors, config);

const CASES: [Settings, string][] = [
  [{ quant_method: "gptq", bits: 4, group_size: 128, desc_act: false, sym: true }, "int4z_g128"],
  [{ quant_method: "gptq", bits: 3, group_size: 64, checkpoint_format: "gptq" }, "int3z_g64"],
  [{ quant_method: "gptq", bits: 2, group_size: 32, checkpoint_format: "gptq_v2" }, "int2z_g32"],
  [{ quant_method: "gptq", bits: 8, group_size: -1 }, "int8z_row"],
  [{ quant_method: "awq", bits: 4, group_size: 64, version: "gemm" }, "int4z_g64"],
];

for (const [settings, format] of CASES) {
  Deno.test(`a folder of ${JSON.stringify(settings)} opens as ${format}, bit for bit`, async () => {
    const { tensors, weights } = quantisedLlama(settings, /k_proj/);
    await withTemp(async (folder) => {
      await writeFolder(folder, tensors, { quantization_config: settings });
      using source = await openModelSource(folder);
      const found = await weightsOf(source);
      assertEquals(source.tensors.size, 12);
      for (const [name, tensor] of source.tensors) {
        const dense = !isLinear(storedName(name)) || name.includes("attn_k");
        assertEquals(tensor.format.name, dense ? "F32" : format, name);
        assertEquals([...found[name]], [...weights[storedName(name)]], name);
      }
      const q = source.tensors.get("blk.0.attn_q.weight")!;
      const [all, piece] = [await q.read(0, q.rows), await q.read(6, 3)];
      const perRow = all.codes.length / q.rows;
      assertEquals(piece.codes, all.codes.slice(6 * perRow, 9 * perRow));
      await assertRejects(() => q.read(127, 2), RangeError, "it has 128");
    });
  });
}

for (const [settings] of CASES) {
  Deno.test(`a folder of ${JSON.stringify(settings)} goes back, scales changed alone`, async () => {
    const { tensors } = quantisedLlama(settings, /up_proj/);
    await withTemp(async (folder) => {
      await writeFolder(folder, tensors, { quantization_config: settings });
      await Deno.writeTextFile(join(folder, "generation_config.json"), "{}");
      await checkWrittenBack(folder, /\.scales$/);
    });
  });
}

Deno.test("a file by another name is found; other weights stay behind; nothing is written over", async () => {
  const settings = CASES[0][0];
  const { tensors } = quantisedLlama(settings);
  await withTemp(async (folder) => {
    await writeFolder(folder, tensors, { quantization_config: settings });
    const name = "gptq_model-4bit-128g.safetensors";
    await Deno.rename(join(folder, "model.safetensors"), join(folder, name));
    await checkWrittenBack(folder, /\.scales$/, { files: [name] });
    await Deno.writeTextFile(join(folder, "pytorch_model.bin"), "untuned");
    using source = await openModelSource(folder);
    await assertRejects(() => writeModel(source, folder), RangeError, "the folder it is read from");
    const out = join(folder, "out");
    await writeModel(source, out);
    assertEquals([...Deno.readDirSync(out)].map((entry) => entry.name).sort(), [
      "config.json",
      name,
    ]);
  });
});

Deno.test("planes of a tensor may lie in several files; each goes back into its own", async () => {
  const settings = CASES[0][0];
  const { tensors } = quantisedLlama(settings);
  await withTemp(async (folder) => {
    await writeFolder(folder, tensors, { quantization_config: settings });
    await Deno.remove(join(folder, "model.safetensors"));
    const files = [0, 1, 2].map((i) => `model-0000${i + 1}-of-00003.safetensors`);
    const weight_map = Object.fromEntries(tensors.map(({ name }, i) => [name, files[i % 3]]));
    for (const [i, file] of files.entries()) {
      const own = tensors.filter((_, at) => at % 3 === i);
      await Deno.writeFile(join(folder, file), ReadableStream.from(writeSafetensors(own)));
    }
    const index = JSON.stringify({ metadata: {}, weight_map });
    await Deno.writeTextFile(join(folder, "model.safetensors.index.json"), index);
    await checkWrittenBack(folder, /\.scales$/, { files });
  });
});

Deno.test("settings in quantize_config.json serve as those in config.json", async () => {
  const { tensors, weights } = quantisedLlama({ bits: 4, group_size: 128 });
  await withTemp(async (folder) => {
    await writeFolder(folder, tensors, {});
    const settings = { bits: 4, group_size: 128, damp_percent: 0.01, desc_act: false };
    await Deno.writeTextFile(join(folder, "quantize_config.json"), JSON.stringify(settings));
    using source = await openModelSource(folder);
    const found = await weightsOf(source);
    assertEquals(
      [...found["blk.0.ffn_down.weight"]],
      [...weights["model.layers.0.mlp.down_proj.weight"]],
    );
  });
});

Deno.test("settings in quant_config.json are AutoAWQ's of before they went into config.json", async () => {
  const { tensors, weights } = quantisedLlama({ quant_method: "awq", bits: 4, group_size: 64 });
  await withTemp(async (folder) => {
    await writeFolder(folder, tensors, {});
    const settings = { zero_point: true, q_group_size: 64, w_bit: 4, version: "GEMM" };
    await Deno.writeTextFile(join(folder, "quant_config.json"), JSON.stringify(settings));
    using source = await openModelSource(folder);
    const found = await weightsOf(source);
    assertEquals(
      [...found["blk.0.ffn_down.weight"]],
      [...weights["model.layers.0.mlp.down_proj.weight"]],
    );
  });
});

for (const method of ["gptq", "awq"]) {
  Deno.test(`${method}: loss is the oracle's, training moves scales, folding keeps the rest`, async () => {
    const settings = { quant_method: method, bits: 4, group_size: 64 };
    const { tensors } = quantisedLlama(settings);
    await withTemp(async (folder) => {
      await writeFolder(folder, tensors, { quantization_config: settings });
      using source = await openModelSource(folder);
      using model = await loadModel(gpu, source);
      const examples = textExamples(shape.vocabulary, [9, 12]);
      const batch = packBatch(examples, "language-modelling", 64);
      using evaluator = new Evaluator(model);
      const [{ loss }] = await evaluator.run([batch]);
      const expected = oracleLoss(shape, await weightsOf(source), examples, "language-modelling");
      assertAlmostEquals(loss, expected, 1e-4 * expected);

      using offsets = planOffsets(model, "relative", gpu.maxBinding).allocate(gpu);
      assertEquals(offsets.trainables.length, 7);
      using trainer = new Trainer(model, qzoNormalised({ learningRate: 0.02 }), offsets, {
        seed: 1,
      });
      trainer.enqueue(0, batch);
      assertEquals((await trainer.drain()).map((r) => r.halted), [false]);
      const trained = new Map(
        [...await offsets.read(gpu)].map(([name, values]) => {
          assert(values.some((w) => w !== 0), `${name} did not move`);
          return [name, { form: "relative" as const, span: 64, offsets: values }];
        }),
      );
      const folded = foldedSource(source, trained);
      const name = "blk.0.ffn_down.weight";
      const rows = shape.hidden;
      const [before, after] = [
        await source.tensors.get(name)!.read(0, rows),
        await folded.tensors.get(name)!.read(0, rows),
      ];
      assertEquals(after.codes, before.codes);
      const scales = packedToGptqScales(after);
      assertEquals(scales.length, 3 * rows);
      assert(scales.some((s, i) => s !== packedToGptqScales(before)[i]));
      // What this library writes of it reads back the same.
      const out = join(folder, "tuned");
      await writeModel(folded, out);
      using tuned = await openModelSource(out);
      assertEquals(await tuned.tensors.get(name)!.read(0, rows), after);
    });
  });
}

Deno.test("an offset of one changes one scale of the file, doubled", async () => {
  const settings = { quant_method: "gptq", bits: 4, group_size: 128 };
  await withTemp(async (folder) => {
    const { tensors } = quantisedLlama(settings);
    await writeFolder(folder, tensors, { quantization_config: settings });
    using source = await openModelSource(folder);
    const name = "blk.0.ffn_down.weight";
    const { format, rows, columns } = source.tensors.get(name)!;
    const offsets = new Float32Array(offsetCount(format.layout, rows, columns, 128));
    offsets[rows + 5] = 1;
    const folded = foldedSource(
      source,
      new Map([[name, { form: "relative", span: 128, offsets }]]),
    );
    const scales = packedToGptqScales(await folded.tensors.get(name)!.read(0, rows));
    const { bytes } = tensors.find((t) => t.name === "model.layers.0.mlp.down_proj.scales")!;
    const expected = new Uint16Array((bytes as Uint8Array<ArrayBuffer>).slice().buffer);
    expected[rows + 5] += 1 << 10; // the next exponent
    assertEquals(scales, expected);
    assert(await fingerprint(source) !== await fingerprint(folded));
  });
});

Deno.test("settings that cannot be read are refused by field", async () => {
  const gptq = { quant_method: "gptq", bits: 4, group_size: 128 };
  const awq = { quant_method: "awq", bits: 4, group_size: 128 };
  const wrong: [unknown, string][] = [
    [{ ...gptq, bits: 5 }, "bits is 5"],
    [{ ...gptq, bits: undefined }, "bits is undefined"],
    [{ ...gptq, bits: "4" }, 'bits is "4"'],
    [{ ...gptq, group_size: 100 }, "group_size is 100"],
    [{ ...gptq, checkpoint_format: "marlin" }, 'checkpoint_format "marlin"'],
    [{ ...gptq, is_marlin_format: true }, 'checkpoint_format "marlin"'],
    [{ ...awq, bits: 8 }, "bits is 8"],
    [{ ...awq, group_size: 0 }, "group_size is 0"],
    [{ ...awq, version: "gemv" }, 'version "gemv"'],
    [
      { quant_method: "exl2" },
      'quantization method "exl2" is not supported; expected one of "qzo"',
    ],
    [{ quant_method: "constructor" }, 'quantization method "constructor"'],
    [{}, "quantization method undefined"],
    [{ quant_method: "qzo" }, "no formats"],
  ];
  const { tensors } = quantisedLlama(gptq);
  await withTemp(async (folder) => {
    await writeFolder(folder, tensors, {});
    for (const [settings, message] of wrong) {
      const json = { ...huggingFaceConfig(shape, false), quantization_config: settings };
      await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
      await assertRejects(() => openModelSource(folder), RangeError, message);
    }
    const json = { ...huggingFaceConfig(shape, false), quantization_config: [] };
    await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
    await assertRejects(() => openModelSource(folder), SyntaxError, "not an object");
  });
});

Deno.test("planes that lie about themselves are refused on opening, by tensor", async () => {
  const module = "model.layers.0.self_attn.o_proj";
  for (const method of ["gptq", "awq"]) {
    const settings = { quant_method: method, bits: 4, group_size: 32 };
    const { tensors } = quantisedLlama(settings);
    const rejects = async (
      plane: string,
      change: (t: SafetensorsTensorData) => SafetensorsTensorData | undefined,
      type: typeof RangeError | typeof TypeError,
      message: string,
      others: Settings = {},
    ) => {
      const name = `${module}.${plane}`;
      const changed = tensors.flatMap((t) => t.name === name ? change(t) ?? [] : t);
      await withTemp(async (folder) => {
        const quantization_config = { ...settings, ...others };
        await writeFolder(folder, changed, { quantization_config });
        await assertRejects(() => openModelSource(folder), type, message);
      });
    };
    for (const plane of ["qweight", "qzeros", "scales"]) {
      const at = `Cannot load tensor "${module}.${plane}"`;
      await rejects(plane, () => undefined, RangeError, `${at}: it is missing`);
      const other = plane === "scales" ? "I16" : "U32";
      await rejects(plane, (t) => ({ ...t, dtype: other }), TypeError, `${at}: ${other} of shape`);
      const turned = (t: SafetensorsTensorData) => ({ ...t, shape: t.shape.toReversed() });
      await rejects(plane, turned, TypeError, `${at}: `);
      const flat = (t: SafetensorsTensorData) => ({ ...t, shape: [t.shape[0] * t.shape[1]] });
      await rejects(plane, flat, TypeError, `${at}: `);
    }
    // The groups of the file are not those of the settings.
    const same = (t: SafetensorsTensorData) => t;
    await rejects("scales", same, TypeError, `_proj.qzeros": I32 of shape`, { group_size: 64 });
    if (method === "awq") continue;
    await rejects("qweight", same, TypeError, `_proj.qweight": I32 of shape`, { bits: 8 });
    // All zeros are how some say that there is no order; all of another group are none.
    const second = (t: SafetensorsTensorData) => ({
      ...t,
      bytes: new Uint8Array(new Int32Array(128).fill(1).buffer),
    });
    const act = `Cannot unpack "${module}": g_idx puts column`;
    await rejects("g_idx", second, RangeError, act, { desc_act: true });
    const ones = (t: SafetensorsTensorData) => ({ ...t, bytes: new Uint8Array(256).fill(1) });
    await rejects("bias", ones, RangeError, `"${module}.bias": biases`);
  }
});
