import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import { Evaluator, loadModel, openModelSource, packBatch } from "../../../../models/mod.ts";
import { planOffsets, type Selection } from "../../../../train/selection.ts";
import { Trainer } from "../../../../train/steps/trainer.ts";
import { qzoNormalised } from "../../../../optim/mod.ts";
import { secondPart } from "../../../../quant/layouts/trained_part.ts";
import { exportTuned, trainedTensors } from "../../../../train/mod.ts";
import { openSharedGpu } from "../../../kernels/one_device.ts";
import { sampled } from "../../../support/sampled.ts";
import { folderShape, quantisedTensors, withTemp, writeFolder } from "../../quantised_folder.ts";
import { oracleLoss, textExamples, weightsOf } from "../../small_model.ts";
import { FOLDER_CASES } from "../../quantised_folder_cases.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const trained = Object.keys(FOLDER_CASES).filter((name) => FOLDER_CASES[name].trains);

for (const name of sampled("trained sources", trained, 1 / 2)) {
  const { settings, linear, shape = folderShape, second } = FOLDER_CASES[name];
  Deno.test(`${name}: loss is the oracle's, a step moves every trained plane`, async () => {
    const { tensors } = quantisedTensors(shape, linear);
    await withTemp(async (folder) => {
      await writeFolder(folder, shape, tensors, { quantization_config: settings });
      using source = await openModelSource(folder);
      using model = await loadModel(gpu, source);
      const examples = textExamples(shape.vocabulary, [9, 12]);
      const batch = packBatch(examples, "language-modelling", 64);
      using evaluator = new Evaluator(model);
      const [{ loss }] = await evaluator.run([batch]);
      const expected = oracleLoss(shape, await weightsOf(source), examples, "language-modelling");
      assertAlmostEquals(loss, expected, 1e-4 * expected);
      const kinds = ["scales", "codebooks", "minima"] as const;
      const [layout] = [...source.tensors.values()].map(({ format }) => format.layout)
        .filter(({ kind }) => kind !== "dense");
      const plan = (kinds?: Selection["kinds"]) =>
        planOffsets(model, "relative", gpu.maxBinding, kinds ? { kinds } : {});
      if (!second && (secondPart(layout) || layout.kind === "column")) {
        assertThrows(() => plan(kinds), RangeError, "Cannot train the minima or zero points");
      }
      using offsets = plan(second ? kinds : undefined).allocate(gpu);
      assertEquals(offsets.trainables.length, second ? 14 : 7);
      // Zero points near 8 have steps of 2^-7 in f16: a small step would drown in their rounding.
      const learningRate = second ? 0.1 : 0.02;
      using trainer = new Trainer(model, qzoNormalised({ learningRate }), offsets, { seed: 1 });
      trainer.enqueue(0, batch);
      assertEquals((await trainer.drain()).map((r) => r.halted), [false]);
      const moved = await offsets.read(gpu);
      for (const [tensor, values] of moved) {
        assert(values.some((w) => w !== 0), `${tensor} did not move`);
      }
      // What is written gives the loss of the offsets, but for the rounding of scales.
      using offsetEvaluator = new Evaluator(model, offsets);
      const [{ loss: tunedLoss }] = await offsetEvaluator.run([batch]);
      const out = join(folder, "tuned");
      await exportTuned(source, trainedTensors(offsets.trainables, moved), out);
      using written = await openModelSource(out);
      using tuned = await loadModel(gpu, written);
      using fileEvaluator = new Evaluator(tuned);
      const [{ loss: fileLoss }] = await fileEvaluator.run([batch]);
      assertAlmostEquals(fileLoss, tunedLoss, 0.2 * Math.abs(tunedLoss - loss) + 1e-4);
      assertNotEquals(tunedLoss, loss);
    });
  });
}
