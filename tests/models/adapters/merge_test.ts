// An adapter merged into its base: the weights are those of the oracle, and the written model is base and adapter at once.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Adapter,
  Evaluator,
  loadModel,
  loraAdapter,
  type LoraPlan,
  mergedSource,
  type Model,
  type ModelSource,
  openModelSource,
  packBatch,
  quantizedSource,
} from "../../../models/mod.ts";
import { fitAdapter } from "../../../models/adapters/adapted.ts";
import { qzo, tensorId } from "../../../optim/mod.ts";
import { exportMerged, offsetsFor, type Selection } from "../../../train/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { withTemp } from "../quantised_folder.ts";
import { choiceExamples, ggufInMemory, smallShape, weightsOf } from "../small_model.ts";
import { smallOpt, writeOptFolder } from "../small_opt.ts";
import { withLora } from "../lora_oracle.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = { ...smallShape, hidden: 256, feedForward: 256, vocabulary: 260 };
const llama = () => ggufInMemory(shape, randomLlama(shape, { seed: 4 }));

/** LoRA with factors that count. */
function filled(source: ModelSource, layers?: readonly [number, number]): Adapter {
  const adapter = loraAdapter(source, { rank: 4, seed: 9, ...layers ? { layers } : {} });
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { name, rows, columns } of fitAdapter(source.config, adapter).tensors.values()) {
    values.set(name, randomNormals(rows * columns, 0.02, randomNumbers(tensorId(name))));
  }
  return { ...adapter, values };
}

/** The largest difference of merged weights from the oracle's, and of these from the base's. */
async function differences(source: ModelSource, merged: ModelSource, model: Model) {
  const [before, found] = [await weightsOf(source), await weightsOf(merged)];
  const expected = withLora(before, model);
  const largest = (a: Record<string, Float64Array>, b: Record<string, Float64Array>) =>
    Object.keys(b).reduce(
      (most, name) => b[name].reduce((m, v, i) => Math.max(m, Math.abs(v - a[name][i])), most),
      0,
    );
  return { wrong: largest(found, expected), moved: largest(before, expected) };
}

Deno.test("merged LoRA: weights are W + s B A, dense ones in their own type", async () => {
  using source = await llama();
  for (const type of ["F32", "F16", "BF16"] as const) {
    const dense = type === "F32" ? source : quantizedSource(source, { format: type });
    using base = await loadModel(gpu, dense);
    const adapter = filled(dense);
    using model = base.withAdapter(adapter);
    const merged = mergedSource(dense, adapter);
    for (const { matrix } of adapter.plan.matrices as LoraPlan["matrices"]) {
      assertEquals(merged.tensors.get(matrix)!.format.name, type);
    }
    const { wrong, moved } = await differences(dense, merged, model);
    assert(moved > 0.01, `${moved}`);
    assert(wrong < { F32: 1e-6, F16: 5e-4, BF16: 4e-3 }[type], `${type}: ${wrong}`);
  }
});

Deno.test("merged LoRA of an OPT folder: its biases as well, in a file that is read again", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, smallOpt);
    using source = await openModelSource(folder);
    const plain = filled(source);
    const [one] = plain.plan.matrices as LoraPlan["matrices"];
    const rows = source.tensors.get(one.matrix)!.rows;
    const bias = Float32Array.from({ length: rows }, (_, i) => 0.001 * (i % 7));
    const adapter: Adapter = {
      ...plain,
      plan: { matrices: [{ ...one, bias: true }] },
      values: new Map([
        ...[...plain.values!].filter(([name]) => name.startsWith(`${one.matrix}.`)),
        [`${one.matrix}.lora_bias`, bias] as const,
      ]),
    };
    using base = await loadModel(gpu, source);
    using model = base.withAdapter(adapter);
    await exportMerged(source, model, undefined, { path: `${folder}/merged` });
    using opened = await openModelSource(`${folder}/merged`);
    const name = one.matrix.replace(/weight$/, "bias");
    const [before, after] = [await weightsOf(source), await weightsOf(opened)];
    bias.forEach((added, i) =>
      assertAlmostEquals(after[name][i], before[name][i] + one.scale * added, 1e-6)
    );
    using reloaded = await loadModel(gpu, opened);
    const batch = packBatch(choiceExamples(smallOpt.vocabulary, [5, 3]), "classification", 60);
    const lossOf = async (of: Model) => {
      using evaluator = new Evaluator(of);
      return (await evaluator.run([batch]))[0].loss;
    };
    const [beside, alone, without] = [
      await lossOf(model),
      await lossOf(reloaded),
      await lossOf(base),
    ];
    assertAlmostEquals(alone, beside, 1e-5);
    assert(Math.abs(alone - without) > 1e-4, "the adapter changes nothing");
  });
});

Deno.test("merged LoRA: packed matrices only on request, to the format that they have", async () => {
  using dense = await llama();
  const source = quantizedSource(dense, { format: "Q4_0" });
  const adapter = filled(source);
  const { message } = assertThrows(() => mergedSource(source, adapter), RangeError);
  assert(message.includes("blk.0.attn_q.weight") && message.includes("Q4_0"), message);
  const merged = mergedSource(source, adapter, { packed: "requantise" });
  assertEquals(merged.tensors.get("blk.0.attn_q.weight")!.format.name, "Q4_0");
  using base = await loadModel(gpu, source);
  using model = base.withAdapter(adapter);
  const { wrong, moved } = await differences(source, merged, model);
  assert(wrong > 1e-4 && wrong < moved, `${wrong} of ${moved}`);
});

Deno.test("merged LoRA with trained scales: both are in the file", async () => {
  using dense = await llama();
  using base = await loadModel(gpu, dense);
  using model = base.withAdapter(filled(dense, [0, 0]));
  const selection: Selection = { kinds: ["norms", "lora"] };
  using offsets = await offsetsFor(model, qzo(), { selection });
  const moves = [...await offsets.read(gpu)].map(([name, values]) =>
    [name, values.map((_, i) => 0.01 * (i % 5))] as const
  );
  offsets.write(gpu, new Map(moves));
  await withTemp(async (folder) => {
    const path = `${folder}/merged.gguf`;
    const { changed } = await exportMerged(dense, model, offsets, { path });
    assert(changed > 0);
    using opened = await openModelSource(path);
    using reloaded = await loadModel(gpu, opened);
    const batch = packBatch(choiceExamples(260, [5, 3]), "classification", 60);
    const lossOf = async (...about: ConstructorParameters<typeof Evaluator>) => {
      using evaluator = new Evaluator(...about);
      return (await evaluator.run([batch]))[0].loss;
    };
    assertAlmostEquals(await lossOf(reloaded), await lossOf(model, offsets), 1e-5);
    assert(Math.abs(await lossOf(reloaded) - await lossOf(model)) > 1e-4);
  });
  await assertRejects(
    () => exportMerged(dense, base, undefined, { path: "nowhere.gguf" }),
    TypeError,
    "has none",
  );
});
