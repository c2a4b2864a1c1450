// LoRA from a new adapter through training and replay: losses against the f64 oracle with the same noise, bits against themselves.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { openGpu } from "../../../kernels/mod.ts";
import {
  Evaluator,
  type Example,
  loadModel,
  loraAdapter,
  type LoraOptions,
  type Model,
  type ModelSource,
  openAdapter,
  openModelSource,
  packBatch,
  quantizedSource,
} from "../../../models/mod.ts";
import { masterSeed, type Optimiser, qzo, qzoPlus, stepSeed, zoAdam } from "../../../optim/mod.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import {
  adapterOfLedger,
  exportAdapter,
  finetune,
  LedgerFile,
  offsetsFor,
  openLedger,
  replayLedger,
  replayOnHost,
} from "../../../train/mod.ts";
import type { NamedWeights } from "../../reference/llama.ts";
import { sampled } from "../../support/sampled.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { withLora } from "../../models/lora_oracle.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import {
  choiceExamples,
  ggufInMemory,
  oracleLoss,
  smallShape,
  weightsOf,
} from "../../models/small_model.ts";
import { optLoss, smallOpt, writeOptFolder } from "../../models/small_opt.ts";
import { bitsOf } from "../tiny_model.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Blocks of 256 fit. */
const wideShape = { ...smallShape, hidden: 256, feedForward: 256, layers: 1, vocabulary: 260 };
const wideOpt = { ...smallOpt, hidden: 256, feedForward: 256, layers: 1 };

interface Subject {
  readonly source: ModelSource;
  readonly loss: (weights: NamedWeights, examples: readonly Example[]) => number;
}

/** Small random models with their oracles, quantised to a format. */
const architectures: Record<string, (body: (subject: Subject) => Promise<void>) => Promise<void>> =
  {
    llama: async (body) => {
      using source = await ggufInMemory(wideShape, randomLlama(wideShape));
      await body({
        source,
        loss: (weights, examples) => oracleLoss(wideShape, weights, examples, "classification"),
      });
    },
    opt: (body) =>
      withTemp(async (folder) => {
        await writeOptFolder(folder, wideOpt);
        using source = await openModelSource(folder);
        await body({
          source,
          loss: (weights, examples) => optLoss(wideOpt, weights, examples, "classification"),
        });
      }),
  };

/** Dense, and what Q4_0, Q4_K, GPTQ, NF4 and AQLM store. */
const formats = ["F32", "Q4_0", "Q4_K", "int4z_g128", "nf4_g64", "codebook1x8"];

const optimisers: Record<string, Optimiser> = {
  qzo: qzo({ epsilon: 1e-2, learningRate: 1e-2 }),
  zoAdam: zoAdam({ epsilon: 1e-2, learningRate: 1e-2 }),
  qzoPlus: qzoPlus({ epsilon: 1e-2, steps: 12 }),
};

const examples = choiceExamples(260, [5, 1, 7, 3]);
const batch = packBatch(examples, "classification", 64);

/** The losses of a step's branches by the oracle: every branch with its own noise on A and B. */
async function branchLosses(
  { source, loss }: Subject,
  model: Model,
  optimiser: Optimiser,
  seed: number,
  offsets: ReadonlyMap<string, Float32Array>,
): Promise<number[]> {
  const weights = await weightsOf(source);
  return optimiser.estimator.branches.map(({ direction, amplitude }) => {
    const noise = { seed: stepSeed(masterSeed(seed), 0, direction ?? 0), amplitude };
    return loss(withLora(weights, model, { offsets, noise }), examples);
  });
}

interface Case {
  readonly architecture: string;
  readonly format: string;
  readonly rule: string;
}

const cases: Case[] = Object.keys(architectures).flatMap((architecture) =>
  formats.flatMap((format) =>
    Object.keys(optimisers).map((rule) => ({ architecture, format, rule }))
  )
);

const options: LoraOptions = { rank: 4, alpha: 8, seed: 9 };

for (const { architecture, format, rule } of sampled("lora", cases, 0.1)) {
  Deno.test(`LoRA beside ${format} of ${architecture} by ${rule}: losses are the oracle's, a ledger replays to the bit`, async () => {
    await architectures[architecture](async ({ source: dense, loss }) => {
      const source = format === "F32" ? dense : quantizedSource(dense, { format });
      const quantised = [...source.tensors.values()].filter((t) => t.format.name === format);
      assert(quantised.length >= 6, `${quantised.length} tensors are ${format}`);
      using base = await loadModel(gpu, source);
      using model = base.withAdapter(loraAdapter(base, options));
      const optimiser = optimisers[rule];
      using offsets = await offsetsFor(model, optimiser, {});
      assert(
        offsets.trainables.every(({ name, form }) =>
          /\.lora_[ab]$/.test(name) && form === "absolute"
        ),
      );
      {
        using trainer = new Trainer(model, optimiser, offsets, { seed: 5 });
        trainer.enqueue(0, batch);
        const [{ losses }] = await trainer.drain();
        const zeros = new Map<string, Float32Array>();
        const expected = await branchLosses({ source, loss }, model, optimiser, 5, zeros);
        losses.forEach((found, i) => assertAlmostEquals(found, expected[i], 2e-5));
        assert(new Set(expected.map((it) => it.toFixed(7))).size > 1, "branches are alike");
      }
      const path = await Deno.makeTempFile({ suffix: ".ledger" });
      await Deno.remove(path);
      using fresh = await offsetsFor(model, optimiser, {});
      let made = 0;
      {
        using ledger = await LedgerFile.create(path, {
          ...{ model, optimiser, offsets: fresh, seed: 5 },
        });
        const settings = { model, optimiser, offsets: fresh, train: examples, ledger, seed: 5 };
        for await (
          const event of finetune({
            ...settings,
            ...{ objective: "classification", steps: 12, batchSize: 4, keepBest: false },
          })
        ) if (event.type === "step") made++;
      }
      assertEquals(made, 12);
      const bits = bitsOf(await fresh.read(gpu));
      assert(Object.values(bits).every((words) => words.some((word) => word !== 0)), "moved");
      const ledger = await openLedger(path);
      await Deno.remove(path);
      assert(ledger.header.features?.includes("adapter"));
      assertEquals(bitsOf(await replayOnHost(source, ledger)), bits);
      using again = base.withAdapter(adapterOfLedger(ledger)!);
      using replayed = await replayLedger(again, ledger);
      assertEquals(bitsOf(await replayed.read(gpu)), bits);
      await withTemp(async (folder) => {
        await exportAdapter(again, replayed, `${folder}/adapter`);
        const { adapter, base: trainedOn } = await openAdapter(`${folder}/adapter`, base);
        assertEquals(trainedOn, base.fingerprint);
        using reloaded = base.withAdapter(adapter);
        const lossOf = async (...about: ConstructorParameters<typeof Evaluator>) => {
          using evaluator = new Evaluator(...about);
          return (await evaluator.run([batch]))[0];
        };
        assertEquals(await lossOf(reloaded), await lossOf(again, replayed));
      });
      await assertRejects(() => replayLedger(base, ledger), RangeError, "put it there first");
      using other = base.withAdapter(loraAdapter(base, { ...options, seed: 1 }));
      await assertRejects(() => replayLedger(other, ledger), RangeError, "is not the one");
    });
  });
}
