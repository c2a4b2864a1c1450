/**
 * What a script may mistype: every option that nobody reads is refused by name, and so are values beyond sense and models that are gone.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openGpu } from "../../kernels/mod.ts";
import {
  calibratedSource,
  exactlyQuantizedSource,
  generate,
  loadModel,
  quantizedSource,
  writeModel,
} from "../../models/mod.ts";
import { planMemory } from "../../train/steps/memory_plan.ts";
import {
  constant,
  cosine,
  linear,
  minimise,
  namedOptimisers,
  optimiserNames,
  qzoNormalised,
} from "../../optim/mod.ts";
import {
  languageModellingExamples,
  loadTask,
  readExamples,
  tokeniseExample,
} from "../../tasks/mod.ts";
import {
  calibrationText,
  evaluate,
  exportTuned,
  finetune,
  finetuneByFunction,
  offsetsFor,
  replayLedger,
  replayOnHost,
} from "../../train/mod.ts";
import { loadTiny, tinyExamples, tinyOffsets, tinySource } from "./tiny_model.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const source = await tinySource();
const optimiser = qzoNormalised();

// deno-lint-ignore no-explicit-any -- options as a script without types gives them
type Any = any;

Deno.test("options that nobody reads are refused by every function, with what may have been meant", async () => {
  using model = await loadTiny(gpu);
  using offsets = tinyOffsets(model, optimiser);
  const train = tinyExamples(4);
  const none: Any = undefined;
  const calls: Record<string, (more: Any) => unknown> = {
    openGpu: (more) => openGpu(more),
    loadModel: (more) => loadModel(gpu, source, more),
    generate: (more) => generate(model, [1], more).next(),
    planMemory: (more) => planMemory(source, { optimiser, ...more }),
    quantizedSource: (more) => quantizedSource(source, { format: "Q4_0", ...more }),
    exactlyQuantizedSource: (more) => exactlyQuantizedSource(source, { format: "Q4_0", ...more }),
    calibratedSource: (more) =>
      calibratedSource(gpu, source, [], { format: "Q4_0", method: "gptq", ...more }),
    writeModel: (more) => writeModel(source, "/no/such/place", more),
    evaluate: (more) => evaluate(model, train, { objective: "classification", ...more }),
    finetune: (more) =>
      finetune({ model, optimiser, offsets, objective: "classification", train, steps: 0, ...more })
        .next(),
    finetuneByFunction: (more) =>
      finetuneByFunction({ model, optimiser, offsets, objective: () => 0, steps: 0, ...more })
        .next(),
    offsetsFor: (more) =>
      offsetsFor(model, optimiser, { train, objective: "classification", ...more }),
    replayLedger: (more) => replayLedger(model, none, more),
    replayOnHost: (more) => replayOnHost(source, none, more),
    exportTuned: (more) => exportTuned(source, new Map(), "/no/such/place", more),
    calibrationText: (more) => calibrationText("none.txt", none, { length: 8, ...more }),
    minimise: (more) =>
      minimise({ parameters: [1], optimiser, objective: () => 0, steps: 0, ...more }).next(),
    constant: (more) => constant(1, more),
    linear: (more) => linear(1, { total: 2, ...more }),
    cosine: (more) => cosine(1, { total: 2, ...more }),
    readExamples: (more) => readExamples("", "csv", more),
    tokeniseExample: (more) => tokeniseExample(none, none, more),
    languageModellingExamples: (more) =>
      languageModellingExamples(none, [], { length: 2, ...more }),
    loadTask: (more) => loadTask(none, "train", ".", more),
  };
  for (const name of optimiserNames) calls[name] = (more) => namedOptimisers[name](more);
  for (const [name, call] of Object.entries(calls)) {
    await assertRejects(
      async () => void await call({ qqzzx: 1 }),
      RangeError,
      'unknown option "qqzzx"',
      name,
    );
    for (const options of [null, 3, "text", []]) {
      if (["openGpu", "loadModel", "generate", "writeModel", "replayLedger"].includes(name)) {
        await assertRejects(async () => void await call(options), TypeError, "options are", name);
      }
    }
  }
  const near = (call: (more: Any) => unknown, typed: string, meant: string) =>
    assertRejects(
      async () => void await call({ [typed]: 1 }),
      RangeError,
      `did you mean "${meant}"?`,
    );
  await near(calls.generate, "temprature", "temperature");
  await near(calls.generate, "max_tokens", "maxTokens");
  await near(calls.finetune, "batch_size", "batchSize");
  await near(calls.quantizedSource, "formats", "format");
  await near(calls.qzo, "learning_rate", "learningRate");
  assertThrows(() => namedOptimisers.qzo({ epsilon: NaN }), RangeError, "epsilon");
  assertThrows(() => namedOptimisers.qzo({ learningRate: -1 }), RangeError);
  const wrong: [string, Any][] = [
    ["temperature", -1],
    ["temperature", NaN],
    ["topK", 0],
    ["topP", 1.5],
    ["topP", 0],
    ["repetitionPenalty", 0],
    ["repetitionPenalty", Infinity],
    ["seed", -1],
    ["maxTokens", 1.5],
  ];
  for (const [option, value] of wrong) {
    await assertRejects(
      () => generate(model, [1], { [option]: value }).next(),
      RangeError,
      `Cannot generate: ${option} must be`,
    );
  }
  await assertRejects(() => generate(model, [1], { topK: "1" } as Any).next(), TypeError, '"1"');
});

Deno.test("a model that was disposed of is said to be", async () => {
  const train = tinyExamples(4);
  const model = await loadTiny(gpu);
  using offsets = tinyOffsets(model, optimiser);
  assertEquals(model.isDisposed, false);
  model[Symbol.dispose]();
  const objective = "classification";
  const calls: Record<string, () => Promise<unknown>> = {
    generate: () => generate(model, [1]).next(),
    evaluate: () => evaluate(model, train, { objective }),
    finetune: () => finetune({ model, optimiser, offsets, objective, train, steps: 1 }).next(),
    byFunction: () =>
      finetuneByFunction({ model, optimiser, offsets, objective: () => 0, steps: 1 }).next(),
    offsetsFor: () => offsetsFor(model, optimiser, { objective, train }),
  };
  for (const [name, call] of Object.entries(calls)) {
    await assertRejects(call, TypeError, "the model has been disposed", name);
  }
});
