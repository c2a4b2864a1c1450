/**
 * What a run reports as its gain: nothing where there is nothing to learn. Labels are shuffled, 20 seeds; the best of many looks would have
 * gained each time.
 */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { qzoNormalised } from "../../optim/mod.ts";
import { evaluate, type Evaluation, finetune } from "../../train/mod.ts";
import { compareEvaluations } from "../../train/evaluate.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { allScales, loadTiny, tinyExamples, tinyOffsets } from "./tiny_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

Deno.test("losses by example are those that the device sums, for both objectives", async () => {
  using model = await loadTiny(gpu);
  const examples = tinyExamples(23, 5).map((one, i) => ({
    prompt: one.prompt.slice(0, 1 + i % 4),
    candidates: i % 3 ? one.candidates : [[1, 2, 3], [2]],
    label: one.label,
  }));
  const texts = examples.map(({ prompt }, i) => ({
    ...{ prompt: i % 2 ? [3, 4] : [], label: 0 },
    candidates: [[...prompt, 5, 6, 7].slice(0, 2 + i % 5)],
  }));
  for (
    const [objective, set] of [["classification", examples], ["language-modelling", texts]] as const
  ) {
    const { loss, byExample } = await evaluate(model, set, { objective, batchSize: 4 });
    const { losses, weights } = byExample!;
    const total = weights.reduce((a, b) => a + b);
    assertAlmostEquals(losses.reduce((sum, x, i) => sum + weights[i] * x, 0) / total, loss, 1e-5);
    // One at a time.
    for (const i of [0, 7, 22]) {
      const alone = await evaluate(model, [set[i]], { objective });
      assertAlmostEquals(alone.loss, losses[i], 1e-5);
    }
  }
});

Deno.test("with shuffled labels the mean reported gain of 20 seeds lies within its interval of 0", async () => {
  using model = await loadTiny(gpu);
  const random = randomNumbers(8);
  const shuffled = (count: number, seed: number) =>
    tinyExamples(count, seed).map((one) => ({ ...one, label: random() < 0.5 ? 0 : 1 }));
  const gains: number[] = [];
  const flattered: number[] = [];
  let covered = 0;
  for (let seed = 0; seed < 20; seed++) {
    const [train, held] = [shuffled(32, 100 + seed), shuffled(60, 200 + seed)];
    const optimiser = qzoNormalised({ learningRate: 0.02, form: "relative" });
    using offsets = tinyOffsets(model, optimiser, allScales);
    let first: Evaluation | undefined;
    let most = 0;
    const run = finetune({
      ...{ model, optimiser, offsets, objective: "classification", train, validation: held, seed },
      ...{ batchSize: 8, steps: 40, evaluateEvery: 2, keepBest: false },
    });
    for await (const event of run) {
      if (event.type === "evaluation") {
        first ??= event.evaluation;
        most = Math.max(most, event.evaluation.accuracy!.correct);
      }
      if (event.type !== "end") continue;
      const { accuracy } = compareEvaluations(first!, event.last!, held);
      gains.push(accuracy!.difference);
      flattered.push((most - first!.accuracy!.correct) / held.length);
      if (accuracy!.low <= 0 && accuracy!.high >= 0) covered++;
      assertEquals(event.looks, 21);
    }
  }
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b) / list.length;
  const error = Math.sqrt(
    gains.reduce((sum, gain) => sum + (gain - mean(gains)) ** 2, 0) / 19 / 20,
  );
  assert(Math.abs(mean(gains)) <= 2.09 * error, `${mean(gains)} +- ${error}`);
  assert(error > 0 && covered >= 17, `${covered} of 20 intervals hold 0`);
  // The test would see it: the highest of all looks is never below 0, and far above it.
  assert(flattered.every((gain) => gain >= 0) && mean(flattered) > 3 * error, `${mean(flattered)}`);
});

Deno.test("evaluations of other examples cannot be compared", async () => {
  using model = await loadTiny(gpu);
  const set = tinyExamples(6);
  const [six, five] = await Promise.all([
    evaluate(model, set, { objective: "classification" }),
    evaluate(model, set.slice(1), { objective: "classification" }),
  ]);
  assertThrows(() => compareEvaluations(six, five, set), TypeError, "6 before, 5 after");
  const { byExample: _, ...bare } = six;
  assertThrows(() => compareEvaluations(bare, six, set), TypeError, "without their examples");
});
