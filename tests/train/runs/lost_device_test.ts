import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DeviceLostError, openGpu, type PacingLimits } from "../../../kernels/mod.ts";
import { generate } from "../../../models/mod.ts";
import { qzoNormalised } from "../../../optim/mod.ts";
import {
  evaluate,
  finetune,
  type FinetuneOptions,
  LedgerFile,
  replayLedger,
  withReopening,
} from "../../../train/mod.ts";
import { bitsOf, loadTiny, tinyExamples, tinyHeader, tinyOffsets } from "../tiny_model.ts";

const optimiser = qzoNormalised({ learningRate: 0.02 });
const objective = "classification";
const train = tinyExamples(32);
const limits: PacingLimits = { dispatch: 50, submission: 250 };
const STEPS = 40;

/** Trains into a ledger, on a device of its own that is lost after `loseAt` steps. */
async function trained(
  path: string,
  again: boolean,
  { pacing = limits, loseAt = Infinity }: { pacing?: PacingLimits; loseAt?: number } = {},
): Promise<Record<string, Uint32Array>> {
  using gpu = await openGpu({ pacing });
  using model = await loadTiny(gpu);
  const resumed = again ? await LedgerFile.resume(path) : undefined;
  using offsets = resumed
    ? await replayLedger(model, resumed.ledger)
    : tinyOffsets(model, optimiser);
  using ledger = resumed?.file ??
    await LedgerFile.create(path, tinyHeader(model, optimiser, offsets));
  const records = resumed?.ledger.records;
  const state = records && records.length > 0 ? records.state(records.length - 1) : undefined;
  const options: FinetuneOptions = {
    ...{ model, optimiser, offsets, objective, train, ledger, steps: STEPS },
    ...state ? { state } : {},
  };
  let made = 0;
  for await (const event of finetune(options)) {
    if (event.type === "step" && ++made === loseAt) gpu.device.destroy();
  }
  return bitsOf(await offsets.read(gpu));
}

Deno.test("a device lost between two steps is an error of its type, and the run goes on with half the time to the same bits", async () => {
  const folder = await Deno.makeTempDir();
  const whole = await trained(`${folder}/whole.ledger`, false);
  const path = `${folder}/lost.ledger`;
  const lost: string[] = [];
  const submissions: (number | undefined)[] = [];
  const bits = await withReopening(async ({ pacing, again }) => {
    submissions.push(pacing?.submission);
    return await trained(path, again, {
      ...pacing ? { pacing } : {},
      loseAt: again ? Infinity : 7,
    });
  }, { pacing: limits, onLost: ({ message }) => lost.push(message) });
  assertEquals(bits, whole);
  assertEquals(submissions, [250, 125]);
  assertEquals(lost.length, 1);
  assertStringIncludes(lost[0], "lost");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a device that is lost again and again, or before there is anything to go on from, is given up", async () => {
  let opened = 0;
  const run = () => {
    opened++;
    return Promise.reject(new DeviceLostError("reset"));
  };
  await assertRejects(() => withReopening(run), DeviceLostError, "reset");
  assertEquals(opened, 4);
  const canGoOn = () => Promise.resolve(false);
  await assertRejects(() => withReopening(run, { canGoOn }), DeviceLostError);
  assertEquals(opened, 5);
  await assertRejects(
    () => withReopening(() => Promise.reject(new RangeError("other"))),
    RangeError,
  );
});

Deno.test("whatever the device is lost in, the error is DeviceLostError", async () => {
  const uses = {
    evaluate: async (model: Awaited<ReturnType<typeof loadTiny>>) => {
      await evaluate(model, train, { objective });
    },
    generate: async (model: Awaited<ReturnType<typeof loadTiny>>) => {
      for await (const _ of generate(model, [1, 2, 3], { maxTokens: 4 }));
    },
  };
  for (const [name, use] of Object.entries(uses)) {
    using gpu = await openGpu();
    using model = await loadTiny(gpu);
    gpu.device.destroy();
    const error = await assertRejects(() => use(model), DeviceLostError);
    assert(error instanceof DeviceLostError, name);
  }
});

Deno.test("a model that was disposed of says so", async () => {
  using gpu = await openGpu();
  const model = await loadTiny(gpu);
  model[Symbol.dispose]();
  await assertRejects(() => evaluate(model, train, { objective }), TypeError, "has been disposed");
});

Deno.test("a model that is disposed of while it trains, between two steps, says so", async () => {
  using gpu = await openGpu();
  const model = await loadTiny(gpu);
  using offsets = tinyOffsets(model, optimiser);
  await assertRejects(
    async () => {
      for await (
        const event of finetune({ model, optimiser, offsets, objective, train, steps: STEPS })
      ) {
        if (event.type === "step") model[Symbol.dispose]();
      }
    },
    TypeError,
    "the model has been disposed",
  );
});
