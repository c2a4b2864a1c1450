// Groups on the device: LoRA in the first layer, scales in the second, each with its own epsilon, learning rate and form.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { assertTrainables, offsetWidth } from "../../../kernels/mod.ts";
import {
  type Example,
  loadModel,
  loraAdapter,
  packBatch,
  quantizedSource,
} from "../../../models/mod.ts";
import {
  type GroupOptions,
  masterSeed,
  namedOptimisers,
  type Optimiser,
  stepSeed,
  tensorId,
  trainedGroup,
} from "../../../optim/mod.ts";
import {
  evaluate,
  finetune,
  finetuneByFunction,
  offsetsFor,
  replayLedger,
  replayOnHost,
  type Selection,
} from "../../../train/mod.ts";
import { trainingOrder } from "../../../train/steps/step_order.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { noiseTerm } from "../../reference/effective_weights.ts";
import {
  choiceExamples,
  ggufInMemory,
  oracleLoss,
  smallShape,
  weightsOf,
} from "../../models/small_model.ts";
import { withLora } from "../../models/lora_oracle.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { ledgerRun, type Resumed } from "../ledger_run.ts";
import { bitsOf } from "../tiny_model.ts";

const gpu = await openSharedGpu();

const shape = { ...smallShape, layers: 2 };
const dense = await ggufInMemory(shape, randomLlama(shape, { seed: 4 }));
const source = quantizedSource(dense, { format: "Q4_0" });
const base = await loadModel(gpu, source);
const model = base.withAdapter(loraAdapter(base, { rank: 4, layers: [0, 0], seed: 9 }));

Deno.test.afterAll(() => {
  for (const one of [model, base, source, dense, gpu]) one[Symbol.dispose]();
});

const selection: Selection = {
  kinds: ["scales", "lora"],
  layersOf: { lora: "first-half", scales: "second-half" },
};
const examples: readonly Example[] = choiceExamples(shape.vocabulary, [5, 1, 7, 3, 4, 6, 2, 5]);

const lora: GroupOptions = { epsilon: 0.03, learningRate: 0.02 };
const scales: GroupOptions = { form: "relative", epsilon: 5e-3, learningRate: 3e-3 };
const { qzo, qzoNormalised, qzoPlus, zoAdam, zoSgdMomentum, blockwiseZo } = namedOptimisers;

/** The optimiser's own numbers are those of no group. */
const own = { epsilon: 0.01, learningRate: 0.01, groups: { lora, scales } } as const;
const rules: Record<string, Optimiser> = {
  qzo: qzo(own),
  qzoNormalised: qzoNormalised({ ...own, form: "absolute" }),
  qzoPlus: qzoPlus({ ...own, steps: 8, form: "absolute" }),
  zoAdam: zoAdam({ ...own, weightDecay: 0.1 }),
  zoSgdMomentum: zoSgdMomentum(own),
  "zoSgdMomentum from seeds": zoSgdMomentum({ ...own, state: "seeds", length: 3 }),
  "blockwiseZo by part": blockwiseZo({ ...own, blocks: "part" }),
};

/** The losses of a step's branches by the f64 oracle: each tensor is looked along by its group's own epsilon. */
async function branchLosses(optimiser: Optimiser, seed: number): Promise<number[]> {
  using offsets = await offsetsFor(model, optimiser, { selection });
  const trained = new Map(offsets.trainables.map((one) => [one.name, one]));
  const { law, estimator } = optimiser;
  const losses: number[] = [];
  for (const { direction, amplitude } of estimator.branches) {
    const key = stepSeed(masterSeed(seed), 0, direction);
    const [ofScales, ofLora] = [scales, lora].map(({ epsilon }) => amplitude * epsilon! / 0.01);
    const weights = await weightsOf(source, (name) => {
      const one = trained.get(name);
      if (!one) return undefined;
      const width = offsetWidth(one);
      const noise = noiseTerm(law, key, tensorId(name), Math.fround(ofScales), { width });
      return { form: one.form, span: one.span, offsets: null, noise };
    });
    const noise = { seed: key, amplitude: ofLora };
    const seen = withLora(weights, model, { noise });
    losses.push(oracleLoss(shape, seen, examples, "classification"));
  }
  return losses;
}

const settings = { objective: "classification", train: examples, batchSize: 4 } as const;
const ofDevice = (resumed: Resumed) => finetune({ ...resumed, ...settings, keepBest: false });

Deno.test("groups: what is trained where, and by which numbers", async () => {
  using offsets = await offsetsFor(model, rules.qzo, { selection });
  const kindOf = (name: string) => name.includes("lora") ? "lora" : "scales";
  for (const { name, layer, form, group } of offsets.trainables) {
    const kind = kindOf(name);
    assertEquals(layer, kind === "lora" ? 0 : 1, name);
    assertEquals(form, kind === "lora" ? "absolute" : "relative", name);
    assertEquals(group, trainedGroup(rules.qzo, kind));
  }
  assertEquals(new Set(offsets.trainables.map(({ name }) => kindOf(name))).size, 2);
  assertEquals(offsets.reaches.length, 2);
});

for (const name of ["qzo", "qzoPlus", "zoAdam"]) {
  Deno.test(`groups by ${name}: the losses of a step's branches are the f64 oracle's`, async () => {
    const optimiser = rules[name];
    using offsets = await offsetsFor(model, optimiser, { selection });
    using trainer = new Trainer(model, optimiser, offsets, { seed: 5 });
    trainer.enqueue(0, packBatch(examples, "classification", 64));
    const [{ losses }] = await trainer.drain();
    const expected = await branchLosses(optimiser, 5);
    losses.forEach((found, i) => assertAlmostEquals(found, expected[i], 2e-5));
    assert(new Set(expected.map((it) => it.toFixed(6))).size > 1, "branches are alike");
  });
}

for (const [name, optimiser] of Object.entries(rules)) {
  Deno.test(`groups by ${name}: device, host and resumed runs come to the same bits`, async () => {
    const whole = await ledgerRun(model, optimiser, [8], ofDevice, selection);
    assert(whole.ledger.header.features?.includes("groups"));
    const moved = Object.entries(whole.bits).filter(([, words]) => words.some((one) => one !== 0));
    assert(
      moved.some(([one]) => one.includes("lora")) && moved.some(([one]) => !one.includes("lora")),
    );
    const resumed = await ledgerRun(model, optimiser, [3, 8], ofDevice, selection);
    assertEquals(resumed.bits, whole.bits);
    assertEquals(resumed.bytes, whole.bytes);
    // One branch a pass.
    const narrow = (one: Resumed) =>
      finetune({ ...one, ...settings, keepBest: false, activationBytes: 1 });
    assertEquals((await ledgerRun(model, optimiser, [8], narrow, selection)).bits, whole.bits);
    using replayed = await replayLedger(model, whole.ledger);
    assertEquals(bitsOf(await replayed.read(gpu)), whole.bits);
    assertEquals(bitsOf(await replayOnHost(source, whole.ledger)), whole.bits);
  });
}

for (const name of ["qzo", "zoAdam"]) {
  Deno.test(`groups by ${name}, by a function: the losses of the device, and the ledger's bits again`, async () => {
    const optimiser = rules[name];
    const order = trainingOrder(examples, { batchSize: 4, seed: 5 });
    const made: number[][] = [];
    const run = await ledgerRun(model, optimiser, [4], async function* (resumed) {
      const steps = finetuneByFunction({
        ...resumed,
        objective: async ({ offsets, step }) => {
          const batch = order.batch(step).map((i) => examples[i]);
          return (await evaluate(model, batch, { objective: "classification", offsets })).loss;
        },
      });
      for await (const { losses } of steps) yield made.push([...losses]);
    }, selection);
    assertEquals(bitsOf(await replayOnHost(source, run.ledger)), run.bits);
    using offsets = await offsetsFor(model, optimiser, { selection });
    const ofLoop: number[][] = [];
    const steps = finetune({ model, optimiser, offsets, ...settings, steps: 4, seed: 5 });
    for await (const event of steps) if (event.type === "step") ofLoop.push([event.loss]);
    made.forEach((losses, i) => {
      const mean = losses.reduce((a, b) => a + b) / losses.length;
      assertAlmostEquals(mean, ofLoop[i][0], 1e-3);
    });
  });
}

Deno.test("groups: offsets of another optimiser's groups, and ledgers of them, are refused", async () => {
  using offsets = await offsetsFor(model, rules.qzo, { selection });
  const faster = qzo({ ...own, groups: { lora: { ...lora, learningRate: 1 }, scales } });
  assertThrows(() => assertTrainables(faster, offsets), TypeError, 'group "lora"');
  assertThrows(() => assertTrainables(qzo(), offsets), TypeError, "to another optimiser");
  await assertRejects(
    () =>
      ledgerRun(model, rules.qzo, [1], async function* (resumed) {
        using others = await offsetsFor(model, faster, { selection });
        yield* finetune({ ...resumed, ...settings, optimiser: faster, offsets: others });
      }, selection),
    RangeError,
    "group",
  );
});
