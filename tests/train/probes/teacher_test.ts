/** Gains that exact gradients teach: they are those of the gradient's norms, and what follows is a run of forwards that replays. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { OffsetSet } from "../../../kernels/mod.ts";
import { loadModel, packBatch, quantizedSource } from "../../../models/mod.ts";
import {
  foAdam,
  gainsOf,
  qzoNormalised,
  qzoPlus,
  readLedger,
  withTangents,
  withTeacher,
} from "../../../optim/mod.ts";
import {
  finetune,
  LedgerFile,
  ledgerHeader,
  offsetsFor,
  optimiserOfConfig,
  parseTrainConfig,
  replayLedger,
} from "../../../train/mod.ts";
import { gainForwards, measureGains } from "../../../train/probes/gains.ts";
import { selectTrainables } from "../../../train/selection.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { gradientOf } from "../../models/gradient_case.ts";
import { ggufInMemory, smallShape, textExamples } from "../../models/small_model.ts";
import { randomLlama } from "../../support/random_llama.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const weights = randomLlama(smallShape, { seed: 12 });
weights["model.layers.0.mlp.gate_proj.weight"].fill(0);
const source = quantizedSource(await ggufInMemory(smallShape, weights), { format: "Q4_0" });
const texts = textExamples(smallShape.vocabulary, [9, 14, 30, 22, 11, 17]);
const objective = "language-modelling" as const;

Deno.test("teacher: gains are those of the gradient's norms over the batches, and all memory is free again", async () => {
  using model = await loadModel(gpu, source);
  const batches = [texts.slice(0, 3), texts.slice(3)].map((some) =>
    packBatch(some, objective, model)
  );
  const trainables = selectTrainables(model, "relative");
  using offsets = new OffsetSet(trainables, gpu.maxBinding).allocate(gpu);
  const slopes = [];
  for (const batch of batches) {
    slopes.push((await gradientOf(gpu, model, offsets, batch)).slopes);
  }
  const [a, b] = slopes;
  const squares = trainables.map(({ name }) =>
    a.get(name)!.reduce((sum, g, i) => sum + ((g + b.get(name)![i]) / 2) ** 2, 0)
  );
  const counts = trainables.map(({ count }) => count);
  const rule = withTeacher(qzoNormalised(), { batches: 2, power: 1 });
  const before = gpu.memory.current;
  const found = await measureGains(model, rule, trainables, batches);
  assertEquals(gpu.memory.current, before);
  assertEquals(found.map(({ gain }) => gain), gainsOf({ power: 1 }, squares, counts));
  const gains = new Map(found.map(({ name, gain }) => [name, gain!]));
  assert(new Set(gains.values()).size > 2, `${[...gains]}`);
  assertEquals(gains.get("blk.0.ffn_gate.weight"), Math.min(...gains.values()), "the silent one");
  assertEquals(gainForwards(rule, trainables.length), 2);
  await assertRejects(
    () => measureGains(model, rule, trainables, batches[0]),
    RangeError,
    "by 2 exact gradients: 1 batches",
  );
  const aborted = { signal: AbortSignal.abort() };
  await assertRejects(
    () => measureGains(model, rule, trainables, batches, aborted),
    DOMException,
    "abort",
  );
});

Deno.test("teacher: looks along directions are an estimate of the same", async () => {
  using model = await loadModel(gpu, source);
  const batch = packBatch(texts, objective, model);
  const trainables = selectTrainables(model, "relative");
  const taught = await measureGains(model, withTeacher(qzoPlus()), trainables, batch);
  const looked = await measureGains(model, qzoPlus({ gainPower: 0.5 }), trainables, batch, {
    seed: 3,
  });
  const apart = taught.map(({ gain }, i) => gain! - looked[i].gain!);
  // Two looks each: a factor of two either way.
  assert(apart.every((it) => Math.abs(it) <= 2), `${apart}`);
});

Deno.test("teacher: the run behind it is one of forwards alone, and its ledger replays to the bit", async () => {
  using model = await loadModel(gpu, source);
  const folder = await Deno.makeTempDir();
  try {
    const rule = withTeacher(qzoNormalised({ learningRate: 0.02 }), { batches: 2 });
    assertEquals([rule.evaluations, rule.estimator.exact], [2, undefined]);
    const train = texts;
    using offsets = await offsetsFor(model, rule, { train, objective, batchSize: 3 });
    const gains = offsets.trainables.map(({ gain }) => gain);
    assert(new Set(gains).size > 1, `${gains}`);
    const header = ledgerHeader({ model, optimiser: rule, offsets, seed: 4 });
    const path = join(folder, "run.ledger");
    {
      using ledger = await LedgerFile.create(path, header);
      const options = { model, optimiser: rule, offsets, train, objective, seed: 4, ledger };
      for await (const event of finetune({ ...options, batchSize: 3, steps: 5 })) {
        if (event.type === "step") assert(Number.isFinite(event.loss));
      }
    }
    const ledger = readLedger(await Deno.readFile(path));
    assertEquals(ledger.records.length, 5);
    assert(ledger.header.features!.includes("gains") && !ledger.header.features!.includes("exact"));
    assertEquals(ledger.header.trainables.map(({ gain }) => gain), gains);
    using replayed = await replayLedger(model, ledger);
    assertEquals(await replayed.read(gpu), await offsets.read(gpu));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("teacher: of any optimiser along noise, from configurations too; of no other", () => {
  const of = (more: string) =>
    optimiserOfConfig(parseTrainConfig(`model: a.gguf\nsteps: 9\noptimiser: {${more}}`, "a.yaml"));
  assertEquals(of("name: qzo, teacher: 3").plan.gains, {
    ...{ power: 0.5, queries: 2, epsilon: 0.02, gradients: 3 },
  });
  const steep = of("name: qzoPlus, teacher: 2, gain_power: 0.25").plan.gains;
  assertEquals([steep?.power, steep?.gradients], [0.25, 2]);
  assertEquals(withTangents(withTeacher(qzoNormalised())).plan.gains?.gradients, 1);
  assertAlmostEquals(of("name: zoAdam, teacher: 1, tangents: true").evaluations, 2);
  assertThrows(() => withTeacher(foAdam()), RangeError, "Cannot give foAdam a teacher");
  assertThrows(() => of("name: foAdam, teacher: 2"), RangeError, "optimiser.teacher: 2");
  assertThrows(() => of("name: hybridZoFo, teacher: 2"), RangeError, "optimiser.teacher: 2");
  assertThrows(() => withTeacher(qzoNormalised(), { batches: 0 }), RangeError, "gradients");
});
