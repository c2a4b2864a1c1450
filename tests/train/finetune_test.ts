/**
 * The training loop: what it yields, that it learns, that it stops well, and that its bits depend on nothing but its seed.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Gpu, OffsetSet } from "../../kernels/mod.ts";
import type { Model } from "../../models/mod.ts";
import {
  mezo,
  NonFiniteLossError,
  type Optimiser,
  optimiser as compose,
  qzo,
  qzoNormalised,
  scaleBySchedule,
  spsa,
} from "../../optim/mod.ts";
import {
  finetune,
  type FinetuneOptions,
  LedgerFile,
  openLedger,
  replayLedger,
  replayOnHost,
  type StepEvent,
  type TrainingEvent,
} from "../../train/mod.ts";
import {
  allKinds,
  allScales,
  bitsOf,
  loadTiny,
  tinyExamples,
  tinyHeader,
  tinyOffsets,
  tinySource,
} from "./tiny_model.ts";
import { openSharedGpu } from "../kernels/one_device.ts";

const train = tinyExamples(64);
const validation = tinyExamples(48, 3);

/** What a run gave. */
interface Run {
  readonly events: TrainingEvent[];
  readonly steps: StepEvent[];
  readonly bits: Record<string, Uint32Array>;
  readonly ledger: Uint8Array;
  readonly error: unknown;
}

/** A run over its own offsets and its own ledger; what it throws is kept. */
async function run(
  model: Model,
  optimiser: Optimiser,
  options:
    & Pick<FinetuneOptions, "steps">
    & Partial<FinetuneOptions>
    & {
      readonly path?: string;
      readonly onEvent?: (event: TrainingEvent, offsets: OffsetSet) => void | Promise<void>;
      readonly selection?: typeof allScales;
    },
): Promise<Run> {
  const { path: given, onEvent, selection = allScales, ...rest } = options;
  const path = given ?? await Deno.makeTempFile({ suffix: ".ledger" });
  const events: TrainingEvent[] = [];
  let error: unknown;
  let offsets: OffsetSet | undefined;
  try {
    let ledger: LedgerFile;
    let state: readonly number[] | undefined;
    if (given) {
      const resumed = await LedgerFile.resume(path);
      ledger = resumed.file;
      offsets = await replayLedger(model, resumed.ledger);
      state = ledger.length > 0
        ? resumed.ledger.records.state(ledger.length - 1)
        : optimiser.transformation.init();
    } else {
      await Deno.remove(path);
      offsets = tinyOffsets(model, optimiser, selection);
      ledger = await LedgerFile.create(path, tinyHeader(model, optimiser, offsets, rest.seed));
    }
    using _open = ledger;
    try {
      for await (
        const event of finetune({
          model,
          optimiser,
          offsets,
          objective: "classification",
          train,
          batchSize: 16,
          ledger,
          ...(state ? { state } : {}),
          ...rest,
        })
      ) {
        events.push(event);
        await onEvent?.(event, offsets);
      }
    } catch (thrown) {
      error = thrown;
    }
    return {
      events,
      steps: events.filter((event) => event.type === "step"),
      bits: bitsOf(await offsets.read(model.gpu)),
      ledger: await Deno.readFile(path),
      error,
    };
  } finally {
    offsets?.[Symbol.dispose]();
    await Deno.remove(path);
  }
}

/** Device and model, for one test or several. */
async function withModel(
  format: string,
  body: (model: Model, gpu: Gpu) => Promise<void>,
): Promise<void> {
  using gpu = await openSharedGpu();
  using model = await loadTiny(gpu, format);
  await body(model, gpu);
}

/** Mean and standard deviation. */
function statistics(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}

Deno.test("finetune: it learns, far beyond the spread of a run that stands still", async () => {
  await withModel("Q4_0", async (model) => {
    const steps = 200;
    const still = await run(model, qzoNormalised({ learningRate: 0 }), { steps });
    const moved = await run(model, qzoNormalised({ learningRate: 0.05, queries: 4 }), { steps });
    assertEquals([still.error, moved.error], [undefined, undefined]);
    const baseline = statistics(still.steps.map((event) => event.loss));
    assert(baseline.deviation > 0, "batches differ, so must their losses");
    const last = statistics(moved.steps.slice(-50).map((event) => event.loss));
    // Means of 50 steps of a run that does not move spread by deviation / sqrt(50).
    const sigmas = (baseline.mean - last.mean) / (baseline.deviation / Math.sqrt(50));
    assert(sigmas > 25, `the loss fell by ${sigmas} sigmas only`);
    assert(last.mean < baseline.mean / 2, `${baseline.mean} to ${last.mean}`);
  });
});

Deno.test("finetune: events in order, evaluations where asked, the best offsets at the end", async () => {
  await withModel("Q4_0", async (model, gpu) => {
    // Too fast on purpose: the last state is not the best.
    const optimiser = qzoNormalised({ learningRate: 0.5, queries: 4 });
    const { events, bits, ledger, error } = await run(model, optimiser, {
      steps: 40,
      evaluateEvery: 5,
      validation,
    });
    assertEquals(error, undefined);
    const expected: string[] = ["evaluation 0"];
    for (let step = 1; step <= 40; step++) {
      expected.push(`step ${step}`);
      if (step % 5 === 0) expected.push(`evaluation ${step}`);
    }
    assertEquals(events.map((e) => `${e.type} ${e.step}`), [...expected, "end 40"]);
    const evaluations = events.filter((event) => event.type === "evaluation");
    const end = events.at(-1)!;
    assert(end.type === "end" && end.reason === "done");
    const best = evaluations.findLast((event) => event.best)!;
    assertEquals([end.bestStep, end.best], [best.step, best.evaluation]);
    const [highest] = evaluations.map(({ evaluation }) => evaluation.accuracy!)
      .toSorted((a, b) => b.correct - a.correct);
    assert(best.evaluation.accuracy!.accuracy >= highest.low);
    for (const { evaluation: { accuracy, loss } } of evaluations) {
      assert(accuracy!.accuracy < highest.low || loss >= best.evaluation.loss);
    }
    assert(best.step > 0 && best.step < 40, `the best step ${best.step} shows nothing`);
    const path = await Deno.makeTempFile();
    await Deno.writeFile(path, ledger);
    using replayed = await replayLedger(model, await openLedger(path), { steps: best.step });
    await Deno.remove(path);
    assertEquals(bits, bitsOf(await replayed.read(gpu)));
  });
});

Deno.test("finetune: an aborted run keeps its last offsets, says so, and its ledger is whole", async () => {
  await withModel("Q4_0", async (model) => {
    const controller = new AbortController();
    const { events, bits, ledger, error } = await run(model, qzo({ learningRate: 1e-4 }), {
      steps: 10_000,
      validation,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.step === 3) controller.abort();
      },
    });
    assertEquals(error, undefined);
    const end = events.at(-1)!;
    assert(end.type === "end" && end.reason === "aborted" && end.step >= 3 && end.step < 10_000);
    assertEquals(end.step, events.filter((event) => event.type === "step").length);
    const path = await Deno.makeTempFile();
    await Deno.writeFile(path, ledger);
    const read = await openLedger(path);
    await Deno.remove(path);
    assertEquals([read.records.length, read.tornBytes], [end.step, 0]);
    assertEquals(bits, bitsOf(await replayOnHost(await tinySource(), read)));
  });
});

Deno.test("finetune: left in the middle, what was on its way is in the ledger too", async () => {
  await withModel("Q4_0", async (model) => {
    const stop = new Error("enough");
    const { steps, bits, ledger, error } = await run(model, qzo({ learningRate: 1e-4 }), {
      steps: 10_000,
      onEvent: (event) => {
        if (event.step === 50) throw stop;
      },
    });
    assertEquals(error, stop);
    assertEquals(steps.length, 50);
    const path = await Deno.makeTempFile();
    await Deno.writeFile(path, ledger);
    const read = await openLedger(path);
    await Deno.remove(path);
    assert(read.records.length > 50 && read.tornBytes === 0, `${read.records.length} records`);
    assertEquals(bits, bitsOf(await replayOnHost(await tinySource(), read)));
  });
});

Deno.test("finetune: aborted before it begins, it makes no step", async () => {
  await withModel("Q4_0", async (model) => {
    const { events } = await run(model, qzo(), { steps: 5, signal: AbortSignal.abort() });
    assertEquals(events.map((e) => `${e.type} ${e.step}`), ["end 0"]);
  });
});

Deno.test("finetune: aborted within an evaluation, it does not finish it", async () => {
  await withModel("Q4_0", async (model) => {
    const optimiser = qzo({ learningRate: 1e-4 });
    const much = tinyExamples(20_000);
    // With no steps it is the last evaluation too that is cut short.
    for (const steps of [5, 0]) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 50);
      const { events, error } = await run(model, optimiser, {
        steps,
        validation: much,
        signal: controller.signal,
      });
      assertEquals(error, undefined);
      assertEquals(events.map((e) => `${e.type} ${e.step}`), ["end 0"]);
      const end = events.at(-1)!;
      assert(end.type === "end" && end.reason === "aborted" && end.best === undefined);
    }
  });
});

Deno.test("finetune: a loss that is not finite stops it, and the ledger holds the steps before", async () => {
  await withModel("Q4_0", async (model) => {
    for (
      const optimiser of [qzo({ learningRate: 1e30, clip: Infinity }), mezo({ learningRate: 1e38 })]
    ) {
      const { steps, ledger, error, bits } = await run(model, optimiser, { steps: 50 });
      assert(error instanceof NonFiniteLossError, `${error}`);
      assertEquals(error.step, steps.length);
      assert(steps.length < 50);
      const finite = error.losses.every(Number.isFinite);
      assertEquals(error.message.includes("coefficients"), finite, error.message);
      const path = await Deno.makeTempFile();
      await Deno.writeFile(path, ledger);
      const read = await openLedger(path);
      await Deno.remove(path);
      assertEquals([read.records.length, read.tornBytes], [steps.length, 0]);
      // The step that failed and those queued behind it moved nothing.
      assertEquals(bits, bitsOf(await replayOnHost(await tinySource(), read)));
    }
  });
});

/** Optimisers that differ in everything that bits may depend on. */
const kinds: readonly (readonly [string, Optimiser, typeof allScales])[] = [
  ["absolute scales that hit zero", qzo({ learningRate: 2e-3, epsilon: 3e-3 }), allScales],
  ["relative scales that hit zero, with state", qzoNormalised({ learningRate: 0.4 }), allScales],
  ["scales and norms, nothing projected", mezo({ learningRate: 1e-3 }), allKinds],
  [
    "three Rademacher directions",
    qzoNormalised({ queries: 3, distribution: "rademacher", learningRate: 0.05 }),
    allKinds,
  ],
];

for (const [name, optimiser, selection] of kinds) {
  Deno.test(`finetune: ${name}: resumed anywhere, the same ledger and the same bits`, async () => {
    await withModel("Q4_0", async (model) => {
      const steps = 12;
      const options = { steps, selection, seed: 5 };
      const whole = await run(model, optimiser, options);
      assertEquals(whole.error, undefined);
      assertEquals(whole.steps.length, steps);
      const again = await run(model, optimiser, options);
      assertEquals(again.ledger, whole.ledger);
      assertEquals(again.bits, whole.bits);
      const path = await Deno.makeTempFile();
      await Deno.writeFile(path, whole.ledger);
      const read = await openLedger(path);
      assertEquals(read.records.length, steps);
      assertEquals(bitsOf(await replayOnHost(await tinySource(), read)), whole.bits);
      using replayed = await replayLedger(model, read);
      assertEquals(bitsOf(await replayed.read(model.gpu)), whole.bits);
      const { head: { bytes: head, recordSize } } = read;
      for (const done of [0, 1, 5, 11, 12]) {
        // Cut within a record: the torn one is made again.
        const cut = head.length + done * recordSize + (done < steps ? done % recordSize : 0);
        await Deno.writeFile(path, whole.ledger.subarray(0, cut));
        const resumed = await run(model, optimiser, { ...options, path });
        assertEquals(resumed.error, undefined);
        assertEquals(resumed.steps.map((event) => event.step).at(0) ?? steps + 1, done + 1);
        assertEquals(resumed.ledger, whole.ledger, `ledger resumed at ${done}`);
        assertEquals(resumed.bits, whole.bits, `offsets resumed at ${done}`);
      }
    });
  });
}

Deno.test("finetune: the projection and the seed matter to what the bits above show", async () => {
  await withModel("Q4_0", async (model) => {
    for (const [, optimiser, selection] of kinds.slice(0, 2)) {
      const { projection: _, ...rest } = optimiser;
      const free: Optimiser = { ...rest, projection: "none" };
      const bound = await run(model, optimiser, { steps: 12, selection, seed: 5 });
      const unbound = await run(model, free, { steps: 12, selection, seed: 5 });
      const other = await run(model, optimiser, { steps: 12, selection, seed: 6 });
      assert(JSON.stringify(bound.bits) !== JSON.stringify(unbound.bits), "never projected");
      assert(JSON.stringify(bound.bits) !== JSON.stringify(other.bits), "seed without effect");
    }
  });
});

Deno.test("finetune: refuses what cannot be trained or would not replay", async () => {
  await withModel("Q4_0", async (model) => {
    const optimiser = qzoNormalised();
    const rejects = async (
      options: Partial<FinetuneOptions>,
      type: new (...args: never[]) => Error,
      text: string,
    ) => {
      const { error } = await run(model, optimiser, { steps: 2, ...options });
      await assertRejects(() => Promise.reject(error), type, text);
    };
    await rejects({ train: [] }, RangeError, "no training examples");
    await rejects({ steps: -1 }, RangeError, "-1 steps");
    await rejects({ steps: 1.5 }, RangeError, "1.5 steps");
    await rejects({ train: [{ prompt: [1], candidates: [[2]], label: 3 }] }, RangeError, "label 3");
    await rejects({ state: [1, 2] }, TypeError, "state");
    await rejects({ optimiser: qzo() }, RangeError, "state");
    await rejects(
      { optimiser: qzoNormalised({ distribution: "rademacher" }) },
      RangeError,
      "rademacher",
    );
    const signs = compose({
      name: "other",
      estimator: spsa(),
      transformations: [scaleBySchedule(1)],
      form: "relative",
    });
    await rejects({ optimiser: signs }, RangeError, "projection");
  });
});

Deno.test("finetune: refuses a ledger of another seed", async () => {
  await withModel("Q4_0", async (model) => {
    const optimiser = qzoNormalised();
    using offsets = tinyOffsets(model, optimiser);
    const path = await Deno.makeTempFile();
    await Deno.remove(path);
    using ledger = await LedgerFile.create(path, tinyHeader(model, optimiser, offsets, 1));
    const options = { model, optimiser, offsets, ledger, train, steps: 1, seed: 2 };
    await assertRejects(
      () => finetune({ ...options, objective: "classification" }).next(),
      RangeError,
      "seed 1",
    );
    await Deno.remove(path);
  });
});
