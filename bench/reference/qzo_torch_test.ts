import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  finetune,
  linear,
  loadModel,
  mezo,
  openGpu,
  openModelSource,
  planOffsets,
  quantizedSource,
  qzo,
  qzoNormalised,
} from "../../mod.ts";
import { evaluate } from "../../train/mod.ts";
import { exists, sharedData } from "../../tests/support/shared_data.ts";
import { main, windowsOfCase } from "./export_case.ts";
import { runTorch, torchMissing } from "./torch.ts";

const folder = sharedData("models/tinystories-656k");
const missing = !exists(folder) ? "no real models beside the repository" : await torchMissing();
const seed = 1;
const objective = "language-modelling";

Deno.test({
  name: "torch and the library begin at the same losses, held out and batch by batch" +
    (missing ? ` (skipped: ${missing})` : ""),
  ignore: missing !== undefined,
  fn: async () => {
    const steps = 3;
    const directory = await Deno.makeTempDir();
    try {
      await main([directory, "--seeds", "2", "--steps", String(steps)]);
      // The amplitude is so small that both branches equal the base, whatever the noise, and the learning rate is 0.
      const torch = await runTorch(directory, [
        ...["--form", "relative", "--epsilon", "1e-9", "--lr", "0"],
        ...["--schedule", "constant", "--steps", String(steps), "--seed", String(seed)],
      ]);

      using gpu = await openGpu();
      using source = quantizedSource(await openModelSource(folder), { format: "int4_g32" });
      using model = await loadModel(gpu, source);
      const { train, heldOut } = await windowsOfCase("stories", model.tokenizer!);
      const optimiser = qzo({ form: "relative", epsilon: 1e-9, learningRate: 0 });
      using offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
      const before = await evaluate(model, heldOut, { objective });
      assertAlmostEquals(torch.lossBefore, before.loss, 2e-5);
      const losses: number[] = [];
      for await (
        const event of finetune({
          ...{ model, optimiser, offsets, objective, train, batchSize: 8, steps, seed },
        })
      ) if (event.type === "step") losses.push(event.loss);
      assertEquals(losses.length, torch.firstTrainingLosses.length);
      losses.forEach((loss, i) => assertAlmostEquals(torch.firstTrainingLosses[i], loss, 2e-5));
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

/** Number of steps of a run. Curves may differ a little, because f32 sums differ in order and coefficients have 16 bits. */
const steps = 6;
const schedule = (peak: number) => linear(peak, { total: steps, warmup: steps });
const rules = {
  "qzo normalised": {
    optimiser: qzoNormalised({ learningRate: schedule(0.02) }),
    kind: "scales",
    python: ["--normalised", "--lr", "0.02"],
  },
  "qzo, absolute": {
    optimiser: qzo({ learningRate: schedule(2e-3) }),
    kind: "scales",
    python: ["--lr", "2e-3"],
  },
  "mezo on all weights": {
    optimiser: mezo({ learningRate: schedule(0.05) }),
    kind: "dense",
    python: ["--method", "mezo", "--base", "original", "--lr", "0.05"],
  },
} as const;

Deno.test({
  name: "with the library's noise torch makes the library's steps" +
    (missing ? ` (skipped: ${missing})` : ""),
  ignore: missing !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir();
    try {
      await main([directory, "--seeds", "2", "--steps", String(steps), "--noise"]);
      using gpu = await openGpu();
      for (const [name, { optimiser, kind, python }] of Object.entries(rules)) {
        await t.step(name, async () => {
          const torch = await runTorch(directory, [
            ...python,
            ...["--given-noise", "--seed", String(seed)],
            ...["--steps", String(steps), "--warmup", String(steps), "--every", String(steps)],
          ]);
          using original = await openModelSource(folder);
          const source = kind === "dense"
            ? original
            : quantizedSource(original, { format: "int4_g32" });
          using model = await loadModel(gpu, source);
          const { train, heldOut } = await windowsOfCase("stories", model.tokenizer!);
          using offsets = planOffsets(model, optimiser, gpu.maxBinding, { kinds: [kind] })
            .allocate(gpu);
          const derivatives: number[] = [];
          for await (
            const event of finetune({
              ...{ model, optimiser, offsets, objective, train, batchSize: 8, steps, seed },
            })
          ) if (event.type === "step") derivatives.push(event.derivatives[0]);
          const { loss } = await evaluate(model, heldOut, { objective, offsets });
          const [[, before], [, after]] = torch.curve;
          assert(Math.abs(after - before) > 20 * 1e-4, `too little happened: ${before}, ${after}`);
          assertAlmostEquals(loss, after, 1e-4);
          // A difference of losses is accurate to a few 1e-6, and is divided by 2 epsilon.
          const error = 4e-6 / optimiser.estimator.branches[0].amplitude;
          derivatives.forEach((d, i) =>
            assertAlmostEquals(d, torch.derivatives[i], error + 2e-3 * Math.abs(d))
          );
        });
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
