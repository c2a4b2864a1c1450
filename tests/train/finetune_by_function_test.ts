import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import {
  blockwiseZo,
  cosine,
  mezo,
  NonFiniteLossError,
  type Optimiser,
  qzoNormalised,
  sparseMezo,
  zoAdam,
  zoSgdConservative,
} from "../../optim/mod.ts";
import {
  evaluate,
  finetune,
  finetuneByFunction,
  type HostObjectiveStep,
  type ObjectivePoint,
  replayLedger,
  replayOnHost,
} from "../../train/mod.ts";
import { trainingOrder } from "../../train/steps/step_order.ts";
import { ledgerRun } from "./ledger_run.ts";
import {
  allScales,
  bitsOf,
  loadTiny,
  tinyExamples,
  tinyOffsets,
  tinySource,
} from "./tiny_model.ts";
import { openSharedGpu } from "../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const train = tinyExamples(32);
const shared = { form: "relative", epsilon: 0.02, projection: "keep-sign" } as const;
const order = trainingOrder(train, { batchSize: 8, seed: 5 });
const batch = (step: number) => order.batch(step).map((i) => train[i]);

const rules: Record<string, Optimiser> = {
  qzoNormalised: qzoNormalised({ learningRate: 0.05, queries: 2 }),
  "zoAdam, absolute": zoAdam({ projection: "keep-sign", learningRate: 1e-3 }),
  zoSgdConservative: zoSgdConservative({ ...shared, learningRate: 0.3 }),
  "blockwiseZo, all": blockwiseZo({
    ...shared,
    learningRate: 0.05,
    blocks: { by: "part", order: "all" },
  }),
  "sparseMezo, decided anew": sparseMezo({
    ...shared,
    learningRate: 0.1,
    sparsity: 0.6,
    resample: 3,
  }),
};

for (const [name, optimiser] of Object.entries(rules)) {
  Deno.test(`by a function, ${name}: the losses of the device, and a ledger that resumes and replays to the same bits`, async () => {
    using model = await loadTiny(gpu, "Q4_0");
    const run = async (...stops: number[]) => {
      const made: HostObjectiveStep[] = [];
      const run = await ledgerRun(model, optimiser, stops, async function* (resumed) {
        const steps = finetuneByFunction({
          ...resumed,
          objective: async ({ offsets, step }) =>
            (await evaluate(model, batch(step), { objective: "classification", offsets })).loss,
        });
        for await (const step of steps) yield made.push(step);
      });
      return { ...run, made };
    };
    const whole = await run(8);
    assertEquals(whole.made.map(({ step }) => step), [1, 2, 3, 4, 5, 6, 7, 8]);
    assertEquals((await run(4, 8)).bits, whole.bits);
    using replayed = await replayLedger(model, whole.ledger);
    assertEquals(bitsOf(await replayed.read(gpu)), whole.bits);
    assertEquals(bitsOf(await replayOnHost(await tinySource("Q4_0"), whole.ledger)), whole.bits);
    // The device's loop on the same batches and noise: its amplitudes are not rounded, its sums go another way.
    using offsets = tinyOffsets(model, optimiser, allScales);
    const run2 = { model, optimiser, offsets, train, batchSize: 8, steps: 2, seed: 5 };
    for await (const event of finetune({ ...run2, objective: "classification" })) {
      if (event.type !== "step") continue;
      const mine = whole.made[event.step - 1].losses;
      assertEquals(mine.length, event.losses.length);
      event.losses.forEach((loss, i) => assertAlmostEquals(mine[i], loss, 1e-4));
    }
  });
}

Deno.test("by a function of no model at all: norms go where it says", async () => {
  using model = await loadTiny(gpu, "Q4_0");
  const steps = 80;
  const optimiser = mezo({ learningRate: cosine(0.014, { total: steps }) });
  using offsets = tinyOffsets(model, optimiser, {
    kinds: ["norms"],
    include: ["output_norm.*"],
    exclude: [],
  });
  const distance = async (of: typeof offsets) =>
    [...(await of.read(gpu)).values()]
      .reduce((sum, w) => sum + w.reduce((s, x) => s + (x - 0.5) ** 2, 0), 0);
  const before = await distance(offsets);
  const objective = (point: ObjectivePoint) => distance(point.offsets);
  for await (const _ of finetuneByFunction({ model, optimiser, offsets, steps, objective }));
  assert(await distance(offsets) < 0.5 * before, `${await distance(offsets)} of ${before} is left`);
});

Deno.test("by a function: what is not finite moves nothing, an abort comes between evaluations", async () => {
  using model = await loadTiny(gpu, "Q4_0");
  const optimiser = qzoNormalised();
  using offsets = tinyOffsets(model, optimiser, allScales);
  const options = { model, optimiser, offsets, steps: 2 };
  await assertRejects(
    () => finetuneByFunction({ ...options, objective: () => NaN }).next(),
    NonFiniteLossError,
  );
  assert([...(await offsets.read(gpu)).values()].every((w) => w.every((x) => x === 0)));
  const controller = new AbortController();
  let asked = 0;
  await assertRejects(
    () =>
      finetuneByFunction({
        ...options,
        signal: controller.signal,
        objective: () => {
          asked++;
          controller.abort(new Error("enough"));
          return 1;
        },
      }).next(),
    Error,
    "enough",
  );
  assertEquals(asked, 1);
});
