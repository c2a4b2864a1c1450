import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { gatherColumns, Graph, Storage } from "../../../kernels/mod.ts";
import {
  Evaluator,
  fingerprint,
  loadModel,
  type ModelSource,
  openModelSource,
  packBatch,
  writeModel,
} from "../../../models/mod.ts";
import { recordLoss } from "../../../models/forward.ts";
import { planOffsets } from "../../../train/selection.ts";
import { planMemory } from "../../../train/steps/memory_plan.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { qzoNormalised } from "../../../optim/mod.ts";
import { Bench } from "../../kernels/bench.ts";
import {
  gptqWords,
  placed,
  plainWeights,
  randomMatrix,
  scaleBits,
  shuffled,
} from "../../quant/transposed_writer.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import {
  checkWrittenBack,
  folderShape as shape,
  quantisedTensors,
  type StoredLinear,
  storedName,
  tensorData,
  withTemp,
  writeFolder,
} from "../quantised_folder.ts";
import { compressedLinear } from "../stored_linears.ts";
import { oracleLoss, textExamples, weightsOf } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** GPTQ with `desc_act`: all matrices of one width share an order, but those that `other` names. */
function reorderedLinear(
  module: string,
  rows: number,
  columns: number,
  seed: number,
  other = /^$/,
): StoredLinear {
  const m = randomMatrix(seed, 4, 32, rows, columns);
  const place = shuffled(columns, other.test(module) ? columns + 1 : columns);
  const { qweight, qzeros, gIdx } = gptqWords(m, "v1", place);
  const i32 = (name: string, dimensions: number[], words: Int32Array<ArrayBuffer>) =>
    tensorData(`${module}.${name}`, "I32", dimensions, words);
  return {
    tensors: [
      i32("qweight", [columns / 8, rows], qweight),
      i32("qzeros", [columns / 32, rows / 8], qzeros),
      i32("g_idx", [columns], gIdx),
      tensorData(`${module}.scales`, "F16", [columns / 32, rows], scaleBits(m)),
    ],
    weights: placed(plainWeights(m), place),
  };
}

const settings = { quant_method: "gptq", bits: 4, group_size: 32, desc_act: true };

/** What a source decodes to, columns in their places. */
async function placedWeights(source: ModelSource): Promise<Record<string, Float64Array>> {
  const weights = await weightsOf(source);
  for (const [name, { columnOrder, columns }] of source.tensors) {
    if (!columnOrder) continue;
    const placed = weights[name].slice();
    weights[name].forEach((value, i) => {
      placed[Math.floor(i / columns) * columns + columnOrder[i % columns]] = value;
    });
    weights[name] = placed;
  }
  return weights;
}

Deno.test("columns are gathered in the order given, in every row", async () => {
  using bench = new Bench(gpu);
  const columns = 96;
  const rows = 7;
  const random = randomNumbers(3);
  const x = Float32Array.from({ length: rows * columns }, () => random());
  const order = Uint32Array.from(shuffled(columns, 9));
  const [found] = await bench.run(
    gatherColumns(bench, bench.value("x", x), bench.storage("order", order), columns),
  );
  assertEquals(
    found,
    x.map((_, i) => x[Math.floor(i / columns) * columns + order[i % columns]]),
  );
});

Deno.test("a folder with reordered columns: decodes in place, loss is the oracle's, trains, goes back", async () => {
  const { tensors, weights } = quantisedTensors(shape, reorderedLinear, /up_proj/);
  await withTemp(async (folder) => {
    await writeFolder(folder, shape, tensors, { quantization_config: settings });
    using source = await openModelSource(folder);
    const placed = await placedWeights(source);
    for (const name of source.tensors.keys()) {
      assertEquals(Float32Array.from(placed[name]), weights[storedName(name)], name);
    }
    using model = await loadModel(gpu, source);
    const examples = textExamples(shape.vocabulary, [9, 12]);
    const batch = packBatch(examples, "language-modelling", 64);
    using evaluator = new Evaluator(model);
    const [{ loss }] = await evaluator.run([batch]);
    const expected = oracleLoss(shape, placed, examples, "language-modelling");
    assertAlmostEquals(loss, expected, 1e-4 * expected);

    // Two widths, two orders; q, k and v share a gather, o, gate and down have one each.
    assertEquals(model.columnOrders.storages.length, 2);
    const graph = new Graph();
    recordLoss(graph, model, batch.shape, 1, new Storage("batch", 4096, "scratch"), {
      losses: new Storage("losses", 16, "scratch"),
      scores: new Storage("scores", 16, "scratch"),
    });
    const gathers = graph.dispatches.filter(({ label }) => label === "gather columns");
    assertEquals(gathers.length, 4);

    const optimiser = qzoNormalised({ learningRate: 0.02 });
    const planned = planMemory(source, { optimiser, shape: batch.shape });
    const without = new Map(
      [...source.tensors].map(([name, t]) => [name, { ...t, columnOrder: undefined }]),
    );
    const plain = planMemory({ ...source, tensors: without }, { optimiser, shape: batch.shape });
    assertEquals(planned.weights - plain.weights, 4 * (128 + 160));

    using offsets = planOffsets(model, "relative", gpu.maxBinding).allocate(gpu);
    using trainer = new Trainer(model, optimiser, offsets, { seed: 1 });
    trainer.enqueue(0, batch);
    assertEquals((await trainer.drain()).map((r) => r.halted), [false]);
    for (const [name, values] of await offsets.read(gpu)) {
      assert(values.some((w) => w !== 0), `${name} did not move`);
    }
    await checkWrittenBack(folder, /\.scales$/);
    await assertRejects(
      () => writeModel({ ...source, folder: undefined }, join(folder, "own")),
      RangeError,
      "its columns are reordered",
    );
  });
});

Deno.test("compressed-tensors with actorder: decodes in place, loss is the oracle's, goes back", async () => {
  const place = (columns: number) => shuffled(columns, columns);
  const linear = compressedLinear(4, 32, false, { place });
  const { tensors, weights } = quantisedTensors(shape, linear);
  const scheme = { num_bits: 4, group_size: 32, symmetric: false, actorder: "group" };
  const quantization_config = {
    quant_method: "compressed-tensors",
    format: "pack-quantized",
    config_groups: { group_0: { weights: { type: "int", ...scheme } } },
  };
  await withTemp(async (folder) => {
    await writeFolder(folder, shape, tensors, { quantization_config });
    using source = await openModelSource(folder);
    const placed = await placedWeights(source);
    for (const name of source.tensors.keys()) {
      assertEquals(Float32Array.from(placed[name]), weights[storedName(name)], name);
    }
    using model = await loadModel(gpu, source);
    const examples = textExamples(shape.vocabulary, [9]);
    using evaluator = new Evaluator(model);
    const [{ loss }] = await evaluator.run([packBatch(examples, "language-modelling", 64)]);
    const expected = oracleLoss(shape, placed, examples, "language-modelling");
    assertAlmostEquals(loss, expected, 1e-4 * expected);
    await checkWrittenBack(folder, /\.weight_scale$/);
  });
});

Deno.test("matrices of one input with orders of their own are gathered each", async () => {
  const { tensors } = quantisedTensors(
    shape,
    (...linear) => reorderedLinear(...linear, /gate_proj|k_proj/),
  );
  await withTemp(async (folder) => {
    await writeFolder(folder, shape, tensors, { quantization_config: settings });
    using source = await openModelSource(folder);
    using model = await loadModel(gpu, source);
    const examples = textExamples(shape.vocabulary, [9]);
    using evaluator = new Evaluator(model);
    const [{ loss }] = await evaluator.run([packBatch(examples, "language-modelling", 64)]);
    const expected = oracleLoss(shape, await placedWeights(source), examples, "language-modelling");
    assertAlmostEquals(loss, expected, 1e-4 * expected);
    assertEquals(model.columnOrders.storages.length, 3);
    const name = "blk.0.attn_k.weight";
    const changed = new Map(source.tensors);
    changed.set(name, { ...source.tensors.get(name)!, columnOrder: undefined });
    assert(await fingerprint(source) !== await fingerprint({ ...source, tensors: changed }));
  });
});
