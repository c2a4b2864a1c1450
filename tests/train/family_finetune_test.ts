import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  accumulate,
  adam,
  batchPerDirection,
  blockwiseZo,
  chain,
  fzoo,
  kerzoo,
  lozo,
  normaliseByRms,
  type Optimiser,
  optimiser,
  scaleBySchedule,
  sparseMezo,
  sparseZo,
  spsa,
  zoAdam,
  zoAdamW,
  zoSgdConservative,
  zoSgdMomentum,
  zoSgdSign,
} from "../../optim/mod.ts";
import { finetune, LedgerFile, replayLedger, replayOnHost } from "../../train/mod.ts";
import { ledgerRun } from "./ledger_run.ts";
import {
  allScales,
  bitsOf,
  loadTiny,
  tinyExamples,
  tinyHeader,
  tinyOffsets,
  tinySource,
} from "./tiny_model.ts";
import { openSharedGpu } from "../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const train = tinyExamples(64);
const shared = { form: "relative", epsilon: 0.02, projection: "keep-sign" } as const;

const rules: Record<string, Optimiser> = {
  fzoo: fzoo({ ...shared, learningRate: 0.05 }),
  zoSgdMomentum: zoSgdMomentum({ ...shared, learningRate: 0.01 }),
  zoSgdConservative: zoSgdConservative({ ...shared, learningRate: 0.3 }),
  zoSgdSign: zoSgdSign({ ...shared, learningRate: 0.01, queries: 2 }),
  zoAdamW: zoAdamW({ ...shared, learningRate: 0.02, weightDecay: 0.5 }),
  "zoAdam, absolute": zoAdam({ projection: "keep-sign", learningRate: 1e-3 }),
  "zoAdamW from seeds": zoAdamW({
    ...shared,
    state: "seeds",
    learningRate: 0.02,
    length: 6,
    weightDecay: 0.03,
  }),
  sparseZo: sparseZo({ ...shared, learningRate: 0.02, resample: 4 }),
  "sparseZo with a global budget": sparseZo({
    ...shared,
    learningRate: 0.02,
    resample: 4,
    budget: "global",
  }),
  lozo: lozo({ ...shared, learningRate: 0.02, rank: 3, resample: 5 }),
  "blockwiseZo, absolute": blockwiseZo({
    projection: "keep-sign",
    learningRate: 1e-4,
    blocks: { by: "tensor", count: 5, order: "random" },
  }),
  "blockwiseZo, all": blockwiseZo({
    ...shared,
    learningRate: 0.01,
    blocks: { by: "part", order: "all" },
  }),
  kerzoo: kerzoo({ ...shared, learningRate: 0.02, smoothness: 4 }),
  sparseMezo: sparseMezo({ ...shared, learningRate: 0.02, sparsity: 0.6, budget: "global" }),
  "sparseMezo, decided anew": sparseMezo({
    ...shared,
    learningRate: 0.1,
    sparsity: 0.6,
    budget: "global",
    resample: 4,
  }),
  "Adam on masks decided anew, absolute": optimiser({
    name: "masked",
    estimator: spsa({ epsilon: 1e-3 }),
    update: adam({ learningRate: 1e-3 }),
    projection: "keep-sign",
    magnitude: { density: 0.5, take: "large", keep: 3 },
  }),
  "a batch for each direction": optimiser({
    name: "batches",
    estimator: spsa({ epsilon: 0.02 }),
    transformations: [batchPerDirection(4, chain(normaliseByRms(), scaleBySchedule(0.05)))],
    form: "relative",
    projection: "keep-sign",
  }),
  "accumulated": optimiser({
    name: "accumulated",
    estimator: spsa({ epsilon: 0.02, queries: 2 }),
    transformations: [
      accumulate(3, chain(normaliseByRms(), scaleBySchedule(0.02)), { directions: 2 }),
    ],
    form: "relative",
    projection: "keep-sign",
  }),
};

for (const [name, rule] of Object.entries(rules)) {
  Deno.test(`${name}: a run, the same run broken off and resumed, and its replays have the same bits`, async () => {
    const source = await tinySource("Q4_0");
    using model = await loadTiny(gpu, "Q4_0");
    const run = (...stops: number[]) =>
      ledgerRun(
        model,
        rule,
        stops,
        (resumed) => finetune({ ...resumed, objective: "classification", train }),
      );
    const whole = await run(12);
    const broken = await run(5, 12);
    assertEquals(broken.bits, whole.bits);
    assertEquals(broken.bytes.subarray(-200), whole.bytes.subarray(-200));
    assert(Object.values(whole.bits).some((words) => words.some((word) => word !== 0)));
    using replayed = await replayLedger(model, whole.ledger);
    assertEquals(bitsOf(await replayed.read(gpu)), whole.bits);
    assertEquals(bitsOf(await replayOnHost(source, whole.ledger)), whole.bits);
  });
}

Deno.test("a run with an update rule does not go on without its state, nor by another rule", async () => {
  using model = await loadTiny(gpu, "Q4_0");
  const begun = zoAdam({ ...shared, learningRate: 0.02 });
  using offsets = tinyOffsets(model, begun, allScales);
  const path = await Deno.makeTempFile({ suffix: ".ledger" });
  await Deno.remove(path);
  using ledger = await LedgerFile.create(path, tinyHeader(model, begun, offsets, 0));
  const options = { model, offsets, objective: "classification", train, ledger } as const;
  for await (const _ of finetune({ ...options, optimiser: begun, steps: 2 }));
  const more = { ...options, steps: 4, state: [] };
  const other = zoAdam({ ...shared, learningRate: 0.03 });
  await assertRejects(
    () => finetune({ ...more, optimiser: other }).next(),
    RangeError,
    "started with the update rule",
  );
  offsets.freeMoments();
  await assertRejects(
    () => finetune({ ...more, optimiser: begun }).next(),
    TypeError,
    "replay the ledger",
  );
  await Deno.remove(path);
});

Deno.test("a ledger is not written by an optimiser whose directions are others", async () => {
  using model = await loadTiny(gpu, "Q4_0");
  const begun = sparseZo({ ...shared, resample: 4 });
  const other = sparseZo({ ...shared, resample: 5 });
  using offsets = tinyOffsets(model, begun, allScales);
  const path = await Deno.makeTempFile({ suffix: ".ledger" });
  await Deno.remove(path);
  using ledger = await LedgerFile.create(path, tinyHeader(model, begun, offsets, 0));
  const options = {
    model,
    optimiser: other,
    offsets,
    objective: "classification",
    train,
    steps: 1,
    ledger,
  } as const;
  await assertRejects(() => finetune(options).next(), RangeError, '"keep":4');
  const adam = { ...options, optimiser: zoAdam(shared) };
  await assertRejects(() => finetune(adam).next(), RangeError, "directions");
  await Deno.remove(path);
});
