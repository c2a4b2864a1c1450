import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { generate, loadModel, type Objective } from "../../models/mod.ts";
import { planModel } from "../../models/inference/model.ts";
import { qzoNormalised } from "../../optim/mod.ts";
import { evaluate, finetune, finetuneByFunction } from "../../train/mod.ts";
import { loadTiny, tinyExamples, tinyOffsets, tinySource } from "./tiny_model.ts";
import { openSharedGpu } from "../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const objective: Objective = "classification";
const optimiser = qzoNormalised();
const source = await tinySource();

Deno.test("values of options that no one can have meant are refused by name, and end nothing but the call", async () => {
  using model = await loadTiny(gpu);
  using offsets = tinyOffsets(model, optimiser);
  const train = tinyExamples(8);
  const start = { model, optimiser, offsets, objective, train, steps: 1 };
  for (const value of [0, -1, 1.5, NaN, Infinity]) {
    await assertRejects(
      () => evaluate(model, train, { objective, batchSize: value }),
      RangeError,
      "batchSize",
    );
    await assertRejects(
      () => finetune({ ...start, batchSize: value }).next(),
      RangeError,
      "batchSize",
    );
    await assertRejects(
      () => loadModel(gpu, source, { maxPositions: value }),
      RangeError,
      "maxPositions",
    );
    assertThrows(() => planModel(source, gpu, value), RangeError, "maxPositions");
  }
  for (const value of [-1, 0.5, NaN]) {
    await assertRejects(
      () => finetune({ ...start, evaluateEvery: value }).next(),
      RangeError,
      "evaluateEvery",
    );
    await assertRejects(
      () => finetuneByFunction({ ...start, objective: () => 0, steps: value }).next(),
      RangeError,
      "steps",
    );
    await assertRejects(
      () => generate(model, [1], { maxTokens: value }).next(),
      RangeError,
      "maxTokens",
    );
    await assertRejects(() => generate(model, [value], {}).next(), RangeError, "token");
  }
  await assertRejects(
    () => finetune({ ...start, activationBytes: NaN }).next(),
    RangeError,
    "activationBytes",
  );
});

Deno.test("writing nothing is no write: it would end the process", async () => {
  using buffer = gpu.buffer("b", 16, "scratch");
  gpu.write(buffer, new Uint32Array([7, 8]), 4);
  gpu.write(buffer, new Uint32Array(0));
  const [bytes] = await gpu.read([{ buffer }]);
  assertEquals([...new Uint32Array(bytes)], [0, 7, 8, 0]);
});
