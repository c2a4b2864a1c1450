/**
 * Conversations in one batch: the loss is of what is scored, as an f64 forward of each alone has it, so nothing is seen across examples.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Evaluator, type Example, loadModel, packBatch } from "../../../models/mod.ts";
import { evaluate } from "../../../train/mod.ts";
import { llamaLogits } from "../../reference/llama.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama, randomNumbers } from "../../support/random_llama.ts";
import { ggufInMemory, smallShape } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = { ...smallShape, layers: 2 };
const weights = randomLlama(shape);
const { vocabulary } = shape;

/** Nats of the scored tokens of an example by itself. */
function natsOf({ prompt, candidates: [own], scored }: Example): number[] {
  const all = [...prompt, ...own];
  const logits = llamaLogits(shape, weights, all);
  const ranges = scored ?? [[prompt.length === 0 ? 1 : 0, own.length]];
  return ranges.flatMap(([first, end]) =>
    Array.from({ length: end - first }, (_, i) => {
      const at = prompt.length + first + i;
      const row = logits.subarray((at - 1) * vocabulary, at * vocabulary);
      const top = row.reduce((a, b) => Math.max(a, b));
      const mass = row.reduce((sum, it) => sum + Math.exp(it - top), 0);
      return Math.log(mass) + top - row[all[at]];
    })
  );
}

Deno.test("conversations of any lengths in one batch have the loss of each by itself", async () => {
  using source = await ggufInMemory(shape, weights);
  using model = await loadModel(gpu, source, { maxPositions: 64 });
  using evaluator = new Evaluator(model);
  const random = randomNumbers(21);
  const below = (n: number) => Math.floor(random() * n);
  const tokens = (n: number) => Array.from({ length: n }, () => below(vocabulary));
  const examples: Example[] = [
    { prompt: tokens(9), candidates: [tokens(20)], label: 0, scored: [[0, 4], [9, 12], [19, 20]] },
    { prompt: [], candidates: [tokens(30)], label: 0, scored: [[1, 2], [5, 25]] },
    { prompt: tokens(40), candidates: [tokens(3)], label: 0 },
    { prompt: [], candidates: [tokens(7)], label: 0 },
    { prompt: tokens(1), candidates: [tokens(15)], label: 0, scored: [[14, 15]] },
  ];
  const nats = examples.map(natsOf);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
  for (const order of [[0, 1, 2, 3, 4], [4, 2, 0], [1], [3, 1, 4]]) {
    const batch = packBatch(order.map((i) => examples[i]), "language-modelling", 64);
    // No padding: rows are those of the tokens, but for the last of each, which predicts nothing.
    const rows = order.reduce(
      (sum, i) => sum + examples[i].prompt.length + examples[i].candidates[0].length - 1,
      0,
    );
    assertEquals(batch.rows, rows);
    const [{ loss, scores }] = await evaluator.run([batch]);
    assertAlmostEquals(loss, mean(order.flatMap((i) => nats[i])), 1e-4);
    order.forEach((i, place) => assertAlmostEquals(-scores[place], mean(nats[i]), 1e-4));
  }
  const found = await evaluate(model, examples, { objective: "language-modelling", batchSize: 2 });
  assertAlmostEquals(found.loss, mean(nats.flat()), 1e-4);
  assertEquals(found.byExample!.weights, nats.map((it) => it.length));
  // What is beside it counts for nothing, to the bit.
  const alone = await evaluator.run([
    packBatch([examples[0]], "language-modelling", 64, {
      rows: 128,
      lossRows: 64,
      candidates: 8,
      examples: 8,
    }),
  ]);
  const beside = await evaluator.run([
    packBatch([examples[0], examples[1]], "language-modelling", 64, {
      rows: 128,
      lossRows: 64,
      candidates: 8,
      examples: 8,
    }),
  ]);
  assertEquals(beside[0].scores[0], alone[0].scores[0]);
  assert(Number.isFinite(alone[0].loss));
});
