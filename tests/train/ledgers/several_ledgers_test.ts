/**
 * Several fine-tunes over one loaded model, and the memory that training takes.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type Gpu, openGpu } from "../../../kernels/mod.ts";
import { type Example, loadModel, type Model } from "../../../models/mod.ts";
import { type Ledger, mezo, qzo, qzoNormalised } from "../../../optim/mod.ts";
import { evaluate, type Evaluation, finetune, replayLedger } from "../../../train/mod.ts";
import { caseLedger, type ReplayCase } from "../../robustness/replay_cases.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import {
  allKinds,
  allScales,
  loadTiny,
  tinyExamples,
  tinyOffsets,
  tinySource,
} from "../tiny_model.ts";

const examples = tinyExamples(20, 9);
const shared = { format: "Q4_0", steps: 30 };
const cases: readonly ReplayCase[] = [
  { ...shared, name: "a", optimiser: qzoNormalised(), selection: allScales, reach: 0.1 },
  { ...shared, name: "b", optimiser: qzo(), selection: allScales, reach: 0.01 },
  { ...shared, name: "c", optimiser: mezo({ queries: 2 }), selection: allKinds, reach: 0.01 },
];

/** A model loaded for one evaluation alone. */
async function evaluateAlone(gpu: Gpu, ledger: Ledger | undefined): Promise<Evaluation> {
  using model = await loadModel(gpu, await tinySource());
  using offsets = ledger && await replayLedger(model, ledger);
  return await evaluate(model, examples, { objective: "classification", offsets });
}

Deno.test("several ledgers: over one model, each gives what it gives alone, in any order", async () => {
  using gpu = await openGpu();
  const source = await tinySource();
  const ledgers = [undefined, ...await Promise.all(cases.map((it) => caseLedger(it, source)))];
  const alone: Evaluation[] = [];
  for (const ledger of ledgers) alone.push(await evaluateAlone(gpu, ledger));
  assertEquals(new Set(alone.map(({ loss }) => loss)).size, ledgers.length);
  assertEquals(gpu.memory.total, 0);

  using model = await loadModel(gpu, source);
  const loaded = gpu.memory;
  const sets = [];
  for (const ledger of ledgers) sets.push(ledger && await replayLedger(model, ledger));
  assertEquals(gpu.memory.current.weights, loaded.current.weights);
  for (const index of [0, 1, 2, 3, 1, 0, 3, 2, 0]) {
    const objective = "classification";
    const found = await evaluate(model, examples, { objective, offsets: sets[index] });
    assertEquals(found, alone[index], `ledger ${index}`);
  }
  for (const set of sets) set?.[Symbol.dispose]();
  assertEquals(gpu.memory.current, loaded.current);
});

Deno.test("several ledgers: training one leaves the others and the base as they are", async () => {
  using gpu = await openGpu();
  const source = await tinySource();
  using model = await loadModel(gpu, source);
  const objective = "classification";
  using other = await replayLedger(model, await caseLedger(cases[0], source));
  const before = [
    await evaluate(model, examples, { objective }),
    await evaluate(model, examples, { objective, offsets: other }),
  ];
  const optimiser = qzoNormalised({ learningRate: 0.1 });
  using offsets = tinyOffsets(model, optimiser);
  assertEquals(await evaluate(model, examples, { objective, offsets }), before[0]);
  const train = tinyExamples(32);
  for await (const _ of finetune({ model, optimiser, offsets, objective, train, steps: 10 }));
  assertNotEquals(await evaluate(model, examples, { objective, offsets }), before[0]);
  assertEquals([
    await evaluate(model, examples, { objective }),
    await evaluate(model, examples, { objective, offsets: other }),
  ], before);
});

/** The account and its peak at every step of a run. */
async function memoryOf(
  model: Model,
  train: readonly Example[],
  steps: number,
): Promise<{ totals: number[]; peaks: number[] }> {
  const optimiser = qzoNormalised({ learningRate: 0.01 });
  using offsets = tinyOffsets(model, optimiser);
  const totals: number[] = [];
  const peaks: number[] = [];
  for await (
    const event of finetune({
      model,
      optimiser,
      offsets,
      objective: "classification",
      train,
      validation: examples,
      evaluateEvery: 10,
      batchSize: 16,
      steps,
    })
  ) {
    if (event.type !== "step") continue;
    totals.push(model.gpu.memory.total);
    peaks.push(model.gpu.memory.peakTotal);
  }
  return { totals, peaks };
}

Deno.test("memory: flat over a run, and back to the model's after it", async () => {
  using gpu = await openGpu();
  {
    using model = await loadTiny(gpu);
    const loaded = gpu.memory.current;
    const { totals } = await memoryOf(model, tinyExamples(64), 100);
    // What the chunk on its way is read back into comes and goes; that is a few hundred bytes.
    const swing = Math.max(...totals) - Math.min(...totals);
    assert(swing <= 1024, `between ${Math.min(...totals)} and ${Math.max(...totals)} bytes`);
    assert(totals[0] > gpu.memory.total);
    assertEquals(gpu.memory.current, loaded);
    const compiled = gpu.pipelines.size;

    // Lengths that make more batch shapes than are kept.
    const random = randomNumbers(3);
    const mixed = tinyExamples(400).map((example) => ({
      ...example,
      prompt: [
        ...Array.from({ length: Math.floor(random() * 24) }, () => 5 + Math.floor(random() * 60)),
        ...example.prompt,
      ],
    }));
    const { totals: changing, peaks } = await memoryOf(model, mixed, 150);
    const levels = new Set(changing.map((bytes) => Math.round(bytes / 2048)));
    assert(levels.size > 3, "all batches have one shape");
    // What is read back at once depends on the machine's speed; that is a few hundred bytes.
    assert(peaks[149] <= peaks[99] + 1024, `${peaks[99]} bytes, then ${peaks[149]}`);
    assertEquals(gpu.memory.current, loaded);
    // Whatever was compiled for a shape serves it again.
    const again = gpu.pipelines.size;
    assert(again >= compiled);
    await memoryOf(model, mixed, 30);
    assertEquals(gpu.pipelines.size, again);
    assertEquals(gpu.memory.current, loaded);
  }
  assertEquals(gpu.memory.total, 0);
});
