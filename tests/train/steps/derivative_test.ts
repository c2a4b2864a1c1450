import { assert, assertAlmostEquals } from "@std/assert";
import { packBatch } from "../../../models/mod.ts";
import type { Selection } from "../../../train/selection.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { masterSeed, mezo, optimiser, spsa, stepSeed } from "../../../optim/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { choiceExamples, oracleLoss, textExamples } from "../../models/small_model.ts";
import { oneLayer, trainedModel } from "./trained_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const everything: Selection = { kinds: ["scales", "norms", "dense"], exclude: [] };
const cases: readonly {
  format: string;
  form: "absolute" | "relative";
  distribution: "normal" | "rademacher";
  epsilon: number;
  selection?: Selection;
  quantiseTables?: boolean;
}[] = [
  { format: "int4_g32", form: "absolute", distribution: "normal", epsilon: 2e-3 },
  { format: "Q4_0", form: "relative", distribution: "rademacher", epsilon: 0.02 },
  {
    format: "int3z_g64",
    form: "relative",
    distribution: "normal",
    epsilon: 0.02,
    selection: { ...everything, span: "row" },
    quantiseTables: true,
  },
  {
    format: "int4_g128",
    form: "absolute",
    distribution: "rademacher",
    epsilon: 1e-3,
    selection: { kinds: ["scales", "norms"] },
  },
  { format: "codebook1x8", form: "relative", distribution: "normal", epsilon: 0.02 },
];

for (const { format, form, distribution, epsilon, selection, quantiseTables } of cases) {
  Deno.test(`the derivative along ${distribution} noise on ${form} offsets of ${format} is the oracle's`, async () => {
    using trained = await trainedModel(gpu, format, quantiseTables);
    using offsets = trained.offsets(form, selection);
    // Away from zero, so that stored offsets and noise are both seen.
    const random = randomNumbers(8);
    const start = new Map(
      offsets.trainables.map((t) => [t.name, randomNormals(t.count, epsilon, random)]),
    );
    offsets.write(gpu, start);
    const rule = { ...mezo({ epsilon, distribution, queries: 2 }), form };
    using trainer = new Trainer(trained.model, rule, offsets, { seed: 6 });
    const { vocabulary } = oneLayer;
    const batches = [
      { examples: textExamples(vocabulary, [7, 12]), objective: "language-modelling" },
      { examples: choiceExamples(vocabulary, [5, 3]), objective: "classification" },
    ] as const;
    for (const { examples, objective } of batches) {
      offsets.write(gpu, start);
      trainer.enqueue(0, packBatch(examples, objective, 512));
      const [record] = await trainer.drain();
      const expected: number[] = [];
      for (const { direction, amplitude } of rule.estimator.branches) {
        const seed = stepSeed(masterSeed(6), 0, direction);
        const weights = await trained.weights(
          offsets.trainables,
          start,
          { law: { dense: distribution }, seed, amplitude },
        );
        expected.push(oracleLoss(oneLayer, weights, examples, objective));
      }
      expected.forEach((loss, b) => {
        const error = Math.abs(record.losses[b] - loss) / loss;
        assert(error < 3e-6, `branch ${b}: ${record.losses[b]}, oracle ${loss}`);
      });
      record.derivatives.forEach((d, q) => {
        const slope = (expected[2 * q] - expected[2 * q + 1]) / (2 * epsilon);
        assert(Math.abs(slope) > 1e-2, `the slope ${slope} is no test`);
        // Two losses of about 6 with f32 rounding, divided by 2 epsilon.
        assertAlmostEquals(d, slope, 4e-5 / (2 * epsilon));
      });
    }
  });
}

Deno.test("the derivative by the device converges to the oracle's gradient", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  using offsets = trained.offsets("relative");
  const examples = textExamples(oneLayer.vocabulary, [9, 9]);
  const seed = stepSeed(masterSeed(1), 0, 0);
  const loss = async (amplitude: number) =>
    oracleLoss(
      oneLayer,
      await trained.weights(offsets.trainables, new Map(), {
        law: { dense: "normal" },
        seed,
        amplitude,
      }),
      examples,
      "language-modelling",
    );
  const exact = (await loss(1e-5) - await loss(-1e-5)) / 2e-5;
  const errors: number[] = [];
  for (const epsilon of [0.2, 0.05]) {
    const rule = optimiser({ name: "look", estimator: spsa({ epsilon }), form: "relative" });
    using trainer = new Trainer(trained.model, rule, offsets, { seed: 1 });
    offsets.write(
      gpu,
      new Map(offsets.trainables.map((t) => [t.name, new Float32Array(t.count)])),
    );
    trainer.enqueue(0, packBatch(examples, "language-modelling", 512));
    errors.push(Math.abs((await trainer.drain())[0].derivatives[0] - exact));
  }
  // The bias of a central difference shrinks with the square of epsilon: 16 times.
  assert(errors[1] < errors[0] / 4, `errors ${errors} at a slope of ${exact}`);
});
