// Every scheme of every architecture beside every kind of format by three optimisers: the first step's losses are the f64 oracle's with the same noise, a
// ledger of 20 steps replays to the bit, and what is exported gives the same loss again.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { offsetWidth } from "../../../kernels/mod.ts";
import {
  Evaluator,
  type Example,
  ia3Adapter,
  loadModel,
  loraAdapter,
  type Model,
  type ModelSource,
  openAdapter,
  openModelSource,
  packBatch,
  quantizedSource,
} from "../../../models/mod.ts";
import { foldedSource } from "../../../models/checkpoints/derived/folded.ts";
import {
  masterSeed,
  type Optimiser,
  qzo,
  qzoPlus,
  stepSeed,
  tensorId,
  zoAdam,
} from "../../../optim/mod.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { schemeSelection } from "../../../train/config/scheme_schema.ts";
import {
  adapterOfLedger,
  exportAdapter,
  exportTuned,
  finetune,
  LedgerFile,
  offsetsFor,
  openLedger,
  replayLedger,
  replayOnHost,
  type SchemeName,
  type Selection,
  trainedTensors,
} from "../../../train/mod.ts";
import { noiseTerm } from "../../reference/effective_weights.ts";
import type { NamedWeights } from "../../reference/llama.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { allCases, sampled, sampleSeed } from "../../support/sampled.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { withMerged } from "../../models/adapter_oracle.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import {
  choiceExamples,
  ggufInMemory,
  oracleLoss,
  smallShape,
  weightsOf,
} from "../../models/small_model.ts";
import {
  maskedChoices,
  robertaLoss,
  smallRoberta,
  writeRobertaFolder,
} from "../../models/architectures/small_roberta.ts";
import { optLoss, smallOpt, writeOptFolder } from "../../models/small_opt.ts";
import { bitsOf } from "../tiny_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Blocks of 256 fit; a mix has two layers, one for each half. */
const wide = { hidden: 256, feedForward: 256, vocabulary: 260 };
const shapesOf = (layers: number) => ({
  llama: { ...smallShape, ...wide, layers },
  opt: { ...smallOpt, ...wide, layers },
  roberta: { ...smallRoberta, ...wide, layers },
});

interface Subject {
  readonly source: ModelSource;
  readonly examples: readonly Example[];
  readonly loss: (weights: NamedWeights, examples: readonly Example[]) => number;
}

const choices = choiceExamples(260, [3, 1]);

/** Small random models with their oracles. */
const architectures: Record<
  string,
  (layers: number, body: (subject: Subject) => Promise<void>) => Promise<void>
> = {
  llama: async (layers, body) => {
    const { llama } = shapesOf(layers);
    using source = await ggufInMemory(llama, randomLlama(llama));
    await body({
      ...{ source, examples: choices },
      loss: (weights, examples) => oracleLoss(llama, weights, examples, "classification"),
    });
  },
  opt: (layers, body) =>
    withTemp(async (folder) => {
      await writeOptFolder(folder, shapesOf(layers).opt);
      using source = await openModelSource(folder);
      await body({
        ...{ source, examples: choices },
        loss: (weights, examples) =>
          optLoss(shapesOf(layers).opt, weights, examples, "classification"),
      });
    }),
  roberta: (layers, body) =>
    withTemp(async (folder) => {
      await writeRobertaFolder(folder, shapesOf(layers).roberta);
      using source = await openModelSource(folder);
      await body({
        ...{ source, examples: maskedChoices(260, [3, 4]) },
        loss: (weights, examples) =>
          robertaLoss(shapesOf(layers).roberta, weights, examples, "classification"),
      });
    }),
};

/** Dense, and what Q4_0, Q4_K, GPTQ, NF4 and AQLM store. */
const formats = ["F32", "Q4_0", "Q4_K", "int4z_g128", "nf4_g64", "codebook1x8"];

const lora = { epsilon: 2e-2, learningRate: 1e-2 };
const groups = { lora };
/** Relative offsets, which all formats have; those of biases and LoRA are absolute all the same. */
const shared = { form: "relative", epsilon: 1e-2, projection: "none" } as const;
const optimisers: Record<string, (more: { groups?: typeof groups }) => Optimiser> = {
  qzo: (more) => qzo({ ...shared, ...more, learningRate: 1e-2 }),
  zoAdam: (more) => zoAdam({ ...shared, ...more, learningRate: 1e-3 }),
  qzoPlus: (more) => qzoPlus({ ...shared, ...more, steps: 20 }),
};

interface Case {
  readonly scheme: SchemeName;
  readonly architecture: string;
  readonly format: string;
  readonly rule: string;
}

/** What a scheme trains of these models; a tied head is the embedding. */
const schemes: Partial<Record<SchemeName, readonly string[]>> = {
  full: ["llama", "opt", "roberta"],
  head: ["llama"],
  norms: ["llama", "opt", "roberta"],
  biases: ["opt", "roberta"],
  lora: ["llama", "opt", "roberta"],
  ia3: ["llama", "opt", "roberta"],
  "scales+lora": ["llama", "opt", "roberta"],
};

const cases: Case[] = Object.entries(schemes).flatMap(([scheme, architectures]) =>
  architectures.flatMap((architecture) =>
    formats.flatMap((format) =>
      Object.keys(optimisers).map((rule) => ({
        ...{ scheme: scheme as SchemeName, architecture, format, rule },
      }))
    )
  )
).filter(({ scheme, format }) =>
  format !== "F32" || (scheme !== "full" && scheme !== "scales+lora")
);

/** The losses of a step's branches by the oracle: every branch with its own noise on all that is trained. */
async function branchLosses(
  { source, loss, examples }: Subject,
  model: Model,
  optimiser: Optimiser,
  { selection, seed }: { readonly selection: Selection; readonly seed: number },
): Promise<number[]> {
  using offsets = await offsetsFor(model, optimiser, { selection });
  const trained = new Map(offsets.trainables.map((one) => [one.name, one]));
  const losses: number[] = [];
  // Of many directions the first two.
  for (const { direction, amplitude } of optimiser.estimator.branches.slice(0, 3)) {
    const key = stepSeed(masterSeed(seed), 0, direction);
    const weights = await weightsOf(source, (name) => {
      const one = trained.get(name);
      if (!one) return undefined;
      const noise = noiseTerm(optimiser.law, key, tensorId(name), amplitude, {
        width: offsetWidth(one),
      });
      return { form: one.form, span: one.span, offsets: null, noise };
    });
    const [group] = offsets.trainables.flatMap(({ group }) => group ?? []);
    const noise = { seed: key, amplitude: amplitude * (group ? lora.epsilon / 1e-2 : 1) };
    losses.push(loss(model.adapter ? withMerged(weights, model, { noise }) : weights, examples));
  }
  return losses;
}

const drawn = sampled("schemes", cases, 0.03);
if (!allCases) console.log(`${drawn.length} of ${cases.length} cells, QZO_SEED=${sampleSeed}`);

for (const { scheme, architecture, format, rule } of drawn) {
  Deno.test(`scheme ${scheme} of ${architecture} in ${format} by ${rule}: oracle, ledger, export`, async () => {
    const mixed = scheme === "scales+lora";
    await architectures[architecture](mixed ? 2 : 1, async (subject) => {
      const dense = subject.source;
      const source = format === "F32" ? dense : quantizedSource(dense, { format });
      const quantised = [...source.tensors.values()].filter((t) => t.format.name === format);
      assert(quantised.length >= 4, `${quantised.length} tensors are ${format}`);
      using base = await loadModel(gpu, source);
      const layers = mixed ? { layers: [0, 0] as const } : {};
      const added = scheme.endsWith("lora")
        ? loraAdapter(base, { rank: 4, alpha: 8, seed: 9, ...layers })
        : scheme === "ia3"
        ? ia3Adapter(base)
        : undefined;
      using adapted = added && base.withAdapter(added);
      const model = adapted ?? base;
      const optimiser = optimisers[rule](mixed ? { groups } : {});
      const selection: Selection = {
        ...schemeSelection(scheme),
        ...mixed ? { layersOf: { lora: "first-half", scales: "second-half" } } : {},
      };
      const { examples } = subject;
      const batch = packBatch(examples, "classification", 60);
      {
        using offsets = await offsetsFor(model, optimiser, { selection });
        using trainer = new Trainer(model, optimiser, offsets, { seed: 5 });
        trainer.enqueue(0, batch);
        const [{ losses }] = await trainer.drain();
        const how = { selection, seed: 5 };
        const expected = await branchLosses({ ...subject, source }, model, optimiser, how);
        expected.forEach((loss, i) => assertAlmostEquals(losses[i], loss, 3e-5));
        assert(new Set(expected.map((it) => it.toFixed(7))).size > 1, "branches are alike");
      }
      await withTemp(async (folder) => {
        const path = `${folder}/run.ledger`;
        using offsets = await offsetsFor(model, optimiser, { selection });
        {
          using ledger = await LedgerFile.create(path, { model, optimiser, offsets, seed: 5 });
          const steps = finetune({
            ...{ model, optimiser, offsets, train: examples, ledger, seed: 5, steps: 20 },
            ...{ objective: "classification", batchSize: 2, keepBest: false },
          });
          for await (const _ of steps);
        }
        const bits = bitsOf(await offsets.read(gpu));
        assert(Object.values(bits).some((words) => words.some((word) => word !== 0)), "moved");
        const ledger = await openLedger(path);
        assertEquals(ledger.records.length, 20);
        assertEquals(ledger.header.features?.includes("adapter"), added !== undefined);
        assertEquals(ledger.header.features?.includes("groups"), mixed);
        assertEquals(bitsOf(await replayOnHost(source, ledger)), bits);
        using again = added && base.withAdapter(adapterOfLedger(ledger)!);
        const where = again ?? base;
        using replayed = await replayLedger(where, ledger);
        assertEquals(bitsOf(await replayed.read(gpu)), bits);
        const lossOf = async (...about: ConstructorParameters<typeof Evaluator>) => {
          using evaluator = new Evaluator(...about);
          return (await evaluator.run([batch]))[0];
        };
        if (mixed) {
          // Both in one file: there is none.
          const write = () => exportAdapter(where, replayed, `${folder}/adapter`);
          await assertRejects(write, RangeError, "the ledger has both");
        } else if (added) {
          await exportAdapter(where, replayed, `${folder}/adapter`);
          const { adapter } = await openAdapter(`${folder}/adapter`, base);
          using reloaded = base.withAdapter(adapter);
          assertEquals(await lossOf(reloaded), await lossOf(where, replayed));
          await assertRejects(() => replayLedger(base, ledger), RangeError, "put it there first");
          using other = base.withAdapter({ ...added, seed: 1 + added.seed });
          await assertRejects(() => replayLedger(other, ledger), RangeError, "is not the one");
        } else {
          // Stored scales are rounded: the same numbers as those folded in memory.
          const tuned = trainedTensors(replayed.trainables, await replayed.read(gpu));
          using folded = await loadModel(gpu, foldedSource(source, tuned));
          await exportTuned(source, tuned, `${folder}/tuned`, { beyond: "keep" });
          using opened = await openModelSource(`${folder}/tuned`);
          using reloaded = await loadModel(gpu, opened);
          // Read again, sums may go another way.
          const [seen, expected] = [await lossOf(reloaded), await lossOf(folded)];
          assertAlmostEquals(seen.loss, expected.loss, 1e-5);
          seen.scores.forEach((score, i) => assertAlmostEquals(score, expected.scores[i], 1e-4));
          assert(seen.loss !== (await lossOf(base)).loss, "the file is the base");
        }
      });
    });
  });
}
