import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { assertTrainables, OffsetSet } from "../../../kernels/mod.ts";
import { loadModel, packBatch, quantizedSource } from "../../../models/mod.ts";
import { gainForwards, measureGains } from "../../../train/probes/gains.ts";
import { selectTrainables } from "../../../train/selection.ts";
import { qzo, qzoPlus } from "../../../optim/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { ggufInMemory, smallShape, textExamples } from "../../models/small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

Deno.test("gains: loud tensors are found, those that do nothing get the least", async () => {
  const weights = randomLlama(smallShape, { seed: 12 });
  weights["model.layers.0.mlp.gate_proj.weight"].fill(0);
  const loud = weights["model.layers.1.mlp.down_proj.weight"];
  loud.forEach((value, i) => loud[i] = 20 * value);
  const source = quantizedSource(await ggufInMemory(smallShape, weights), { format: "int4_g32" });
  using model = await loadModel(gpu, source);
  const examples = textExamples(smallShape.vocabulary, [9, 14, 30]);
  const batch = packBatch(examples, "language-modelling", 256);
  const trainables = selectTrainables(model, "relative");
  const rule = qzoPlus({ gainPower: 1 });
  const found = await measureGains(model, rule, trainables, batch, { seed: 3 });
  assertEquals(found.map(({ name }) => name), trainables.map(({ name }) => name));
  const gains = new Map(found.map(({ name, gain }) => [name, gain!]));
  const sizes = [...gains.values()];
  assertEquals(gains.get("blk.1.ffn_down.weight"), Math.max(...sizes), "the loud one");
  assertEquals(gains.get("blk.0.ffn_gate.weight"), Math.min(...sizes), "the silent one");
  assert(Math.min(...sizes) < Math.max(...sizes));
  assertEquals(await measureGains(model, rule, trainables, batch, { seed: 3 }), found, "again");

  const signal = AbortSignal.abort();
  await assertRejects(
    () => measureGains(model, rule, trainables, batch, { signal }),
    DOMException,
    "abort",
  );

  assertEquals(gainForwards(rule, trainables.length), 2 * trainables.length + 1);
  assertEquals(gainForwards(qzo(), trainables.length), 0);
  assertEquals(await measureGains(model, qzo(), trainables, batch), trainables);

  const without = new OffsetSet(trainables, gpu.maxBinding);
  assertThrows(() => assertTrainables(rule, without), TypeError, "has no gain");
  const withGains = new OffsetSet(found, gpu.maxBinding);
  assertTrainables(rule, withGains);
  assertThrows(() => assertTrainables(qzo(), withGains), TypeError, "of another optimiser");
});

Deno.test("gains: a loss that is not finite is refused", async () => {
  const weights = randomLlama(smallShape, { seed: 12 });
  // Each is finite; what they make of hidden states is not.
  weights["model.norm.weight"].fill(3e38);
  const source = quantizedSource(await ggufInMemory(smallShape, weights), { format: "int4_g32" });
  using model = await loadModel(gpu, source);
  const examples = textExamples(smallShape.vocabulary, [9]);
  const batch = packBatch(examples, "language-modelling", 256);
  await assertRejects(
    () =>
      measureGains(model, qzoPlus({ gainPower: 1 }), selectTrainables(model, "relative"), batch),
    RangeError,
    "not finite",
  );
});
