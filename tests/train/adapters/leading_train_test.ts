// Prefixes and prompts through training, replay, files and generation: losses against the f64 oracle with the same noise, bits against themselves.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Adapter,
  Evaluator,
  type Example,
  generate,
  loadModel,
  loraAdapter,
  type Model,
  openAdapter,
  openModelSource,
  packBatch,
  prefixAdapter,
  promptAdapter,
  promptMemory,
  quantizedSource,
  startedAdapter,
} from "../../../models/mod.ts";
import { masterSeed, type Optimiser, qzo, qzoPlus, stepSeed, zoAdam } from "../../../optim/mod.ts";
import { planMemory } from "../../../train/steps/memory_plan.ts";
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
import { llamaLogits } from "../../reference/llama.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { batchLogits } from "../../support/model_logits.ts";
import { sampled } from "../../support/sampled.ts";
import { promptBases } from "../../support/vectors/peft_cases.ts";
import { writeRandomFolder } from "../../models/random_folder.ts";
import { leadingOf } from "../../models/leading_oracle.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import {
  choiceExamples,
  ggufInMemory,
  oracleLoss,
  randomTokens,
  smallShape,
  textExamples,
  weightsOf,
} from "../../models/small_model.ts";
import { bitsOf } from "../tiny_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Blocks of 256 fit; queries share keys and values. */
const shape = { ...smallShape, hidden: 256, feedForward: 256, layers: 2, vocabulary: 260 };
const weights = randomLlama(shape);

const schemes: Record<string, (base: Model) => Promise<Adapter>> = {
  prefix: (base) => startedAdapter(base, prefixAdapter(base, { tokens: 3, seed: 4 })),
  "prefix with positions from 0": (base) =>
    startedAdapter(base, prefixAdapter(base, { tokens: 2, shiftPositions: false })),
  "random prefix": (base) =>
    Promise.resolve(prefixAdapter(base, { tokens: 5, init: "random", seed: 8 })),
  prompt: (base) => startedAdapter(base, promptAdapter(base, { tokens: 5, seed: 4 })),
  "random prompt": (base) => Promise.resolve(promptAdapter(base, { tokens: 2, init: "random" })),
};

const formats = ["F32", "Q4_0", "Q4_K", "int4z_g128", "nf4_g64", "codebook1x8"];

const optimisers: Record<string, Optimiser> = {
  qzo: qzo({ epsilon: 1e-2, learningRate: 1e-2 }),
  zoAdam: zoAdam({ epsilon: 1e-2, learningRate: 1e-2 }),
  qzoPlus: qzoPlus({ epsilon: 1e-2, steps: 12 }),
};

const examples = choiceExamples(260, [5, 1, 7, 3]);

const cases = Object.keys(schemes).flatMap((scheme) =>
  formats.flatMap((format) => Object.keys(optimisers).map((rule) => ({ scheme, format, rule })))
);

for (const { scheme, format, rule } of sampled("leading", cases, 0.04)) {
  Deno.test(`${scheme} beside ${format} by ${rule}: losses are the oracle's, a ledger replays to the bit, files give the same`, async () => {
    using dense = await ggufInMemory(shape, weights);
    const source = format === "F32" ? dense : quantizedSource(dense, { format });
    using base = await loadModel(gpu, source);
    using model = base.withAdapter(await schemes[scheme](base));
    const optimiser = optimisers[rule];
    using offsets = await offsetsFor(model, optimiser, {});
    assert(
      offsets.trainables.every(({ name, form }) =>
        /prompt|prefix/.test(name) && form === "absolute"
      ),
    );
    const batch = packBatch(examples, "classification", model);
    {
      using trainer = new Trainer(model, optimiser, offsets, { seed: 5 });
      trainer.enqueue(0, batch);
      const [{ losses }] = await trainer.drain();
      const seen = await weightsOf(source);
      const expected = optimiser.estimator.branches.map(({ direction, amplitude }) => {
        const noise = { seed: stepSeed(masterSeed(5), 0, direction ?? 0), amplitude };
        return oracleLoss(shape, seen, examples, "classification", leadingOf(model, { noise }));
      });
      losses.forEach((found, i) => assertAlmostEquals(found, expected[i], 2e-5));
      assert(new Set(expected.map((it) => it.toFixed(7))).size > 1, "branches are alike");
    }
    await withTemp(async (folder) => {
      const path = `${folder}/run.ledger`;
      using fresh = await offsetsFor(model, optimiser, {});
      {
        using ledger = await LedgerFile.create(path, {
          ...{ model, optimiser, offsets: fresh, seed: 5 },
        });
        const settings = { model, optimiser, offsets: fresh, train: examples, ledger, seed: 5 };
        for await (
          const _ of finetune({
            ...settings,
            ...{ objective: "classification", steps: 12, batchSize: 4, keepBest: false },
          })
        );
      }
      const bits = bitsOf(await fresh.read(gpu));
      assert(Object.values(bits).every((words) => words.some((word) => word !== 0)), "moved");
      const ledger = await openLedger(path);
      assertEquals(bitsOf(await replayOnHost(source, ledger)), bits);
      using again = base.withAdapter(adapterOfLedger(ledger)!);
      using replayed = await replayLedger(again, ledger);
      assertEquals(bitsOf(await replayed.read(gpu)), bits);
      await exportAdapter(again, replayed, `${folder}/adapter`);
      const { adapter } = await openAdapter(`${folder}/adapter`, base);
      using reloaded = base.withAdapter(adapter);
      const lossOf = async (...about: ConstructorParameters<typeof Evaluator>) => {
        using evaluator = new Evaluator(...about);
        return (await evaluator.run([batch]))[0];
      };
      assertEquals(await lossOf(reloaded), await lossOf(again, replayed));
      await assertRejects(() => replayLedger(base, ledger), RangeError, "put it there first");
    });
  });
}

/** A dense model, and what its oracle needs. */
async function withDense(
  body: (base: Model, dense: Awaited<ReturnType<typeof weightsOf>>) => Promise<void>,
) {
  using source = await ggufInMemory(shape, weights);
  using base = await loadModel(gpu, source, { maxPositions: 96 });
  await body(base, await weightsOf(source));
}

/** An adapter with other values, so that it counts. */
function filled(base: Model, adapter: Adapter): Adapter {
  const { start: _, ...rest } = adapter;
  using model = base.withAdapter(rest);
  const random = randomNumbers(3);
  const values = new Map(
    [...model.adapter!.tensors].map(([name, { rows, columns }]) =>
      [name, randomNormals(rows * columns, 0.5, random)] as const
    ),
  );
  return { ...rest, values };
}

const leading: Record<string, (base: Model) => Adapter> = {
  prefix: (base) => filled(base, prefixAdapter(base, { tokens: 3 })),
  "prefix with positions from 0": (base) =>
    filled(base, prefixAdapter(base, { tokens: 3, shiftPositions: false })),
  prompt: (base) => filled(base, promptAdapter(base, { tokens: 4 })),
};

for (const [name, make] of Object.entries(leading)) {
  Deno.test(`texts without a prompt behind a ${name} have the oracle's loss, of the same tokens as without`, async () => {
    await withDense(async (base, dense) => {
      using model = base.withAdapter(make(base));
      const texts = textExamples(260, [9, 2, 14]);
      const batch = packBatch(texts, "language-modelling", model);
      assertEquals(batch.lossRows, packBatch(texts, "language-modelling", base).lossRows);
      using evaluator = new Evaluator(model);
      const [{ loss }] = await evaluator.run([batch]);
      const expected = oracleLoss(shape, dense, texts, "language-modelling", leadingOf(model));
      assertAlmostEquals(loss, expected, 2e-5);
    });
  });

  Deno.test(`tokens generated behind a ${name} are the oracle's, with a memory of earlier prompts too, up to the context's end`, async () => {
    await withDense(async (base, dense) => {
      using model = base.withAdapter(make(base));
      const before = leadingOf(model);
      using memory = promptMemory(model);
      const first = (before.vectors?.length ?? 0) / shape.hidden;
      for (const length of [61, 70, 90]) {
        const prompt = randomTokens(260, 90, 5).slice(0, length);
        const options = { stopTokens: [], maxTokens: 200, memory };
        const tokens = (await Array.fromAsync(generate(model, prompt, options)))
          .map(({ token }) => token).filter((token) => token >= 0);
        assertEquals(tokens.length, model.maxPositions - length);
        const judged = tokens.slice(0, 5);
        const logits = llamaLogits(shape, dense, [...prompt, ...judged], before);
        judged.forEach((token, i) => {
          const at = (first + length + i - 1) * 260;
          const row = logits.subarray(at, at + 260);
          const best = Math.max(...row);
          assert(row[token] >= best - 1e-4, `token ${i}: ${row[token]}, the best is ${best}`);
        });
      }
    });
  });
}

Deno.test("generation with a cache that rolls in layers with a window sees a prefix and a prompt as batches do", async () => {
  await withTemp(async (folder) => {
    await writeRandomFolder(folder, { ...promptBases.gemma3, max_position_embeddings: 700 });
    using source = await openModelSource(folder);
    using base = await loadModel(gpu, source);
    for (const make of [leading.prefix, leading.prompt]) {
      using model = base.withAdapter(make(base));
      const { vocabulary } = model.config;
      for (const length of [2, 560]) {
        const prompt = randomTokens(vocabulary, length, 6);
        const options = { stopTokens: [], maxTokens: 3 };
        const tokens = (await Array.fromAsync(generate(model, prompt, options)))
          .map(({ token }) => token).filter((token) => token >= 0);
        const example = { prompt, candidates: [tokens], label: 0 };
        const batch = packBatch([example], "classification", model);
        const logits = await batchLogits(gpu, model, batch);
        tokens.forEach((token, i) => {
          const row = logits.subarray(i * vocabulary, (i + 1) * vocabulary);
          const best = Math.max(...row);
          assert(row[token] >= best - 1e-3, `token ${i}: ${row[token]}, the best is ${best}`);
        });
      }
    }
  });
});

Deno.test("a prefix and a prompt begin with what the base computes, as halves", async () => {
  await withDense(async (base, dense) => {
    const tokens = promptAdapter(base, { tokens: 5, seed: 4 }).start!.tokens;
    using model = base.withAdapter(
      await startedAdapter(base, promptAdapter(base, { tokens: 5, seed: 4 })),
    );
    const table = dense["token_embd.weight"];
    const { vectors } = leadingOf(model);
    tokens.forEach((token, i) => {
      for (let j = 0; j < shape.hidden; j++) {
        const expected = table[token * shape.hidden + j];
        const found = vectors![i * shape.hidden + j];
        assertAlmostEquals(found, expected, Math.abs(expected) * 2 ** -11 + 1e-7);
      }
    });
    // Real activations: behind the prefix, a sequence goes on as if its tokens had been read, where positions are shifted.
    const wanted = prefixAdapter(base, { tokens: 4, seed: 6 });
    using prefixed = base.withAdapter(await startedAdapter(base, wanted));
    const text: Example = { prompt: [3, 4, 5], candidates: [[7, 8]], label: 0 };
    using evaluator = new Evaluator(prefixed);
    const [{ loss }] = await evaluator.run([packBatch([text], "language-modelling", prefixed)]);
    const whole = { ...text, prompt: [...wanted.start!.tokens, ...text.prompt] };
    assertAlmostEquals(loss, oracleLoss(shape, dense, [whole], "language-modelling"), 1e-3);
  });
});

Deno.test("several schemes stand beside one base: each takes its own memory, which the plan says, and goes without harm", async () => {
  await withDense(async (base) => {
    const losses = async (model: Model) => {
      using evaluator = new Evaluator(model);
      return (await evaluator.run([packBatch(examples, "classification", model)]))[0];
    };
    const before = gpu.memory.total;
    const plain = await losses(base);
    {
      using stack = new DisposableStack();
      const lora = (base: Model) => filled(base, loraAdapter(base, { rank: 4 }));
      const held = [...Object.values(leading), lora].map((make) => {
        const at = gpu.memory.total;
        const model = stack.use(base.withAdapter(make(base)));
        const own = [...model.adapter!.tensors.values()];
        const bytes = own.reduce((sum, { rows, columns }) => sum + 4 * rows * columns, 0);
        assertEquals(gpu.memory.total - at, bytes);
        return model;
      });
      const found = [];
      for (const model of held) found.push(await losses(model));
      assertEquals(new Set(found.map(({ loss }) => loss)).size, 4);
      for (const [i, model] of held.entries()) assertEquals(await losses(model), found[i]);
      using source = await ggufInMemory(shape, weights);
      const optimiser = optimisers.qzo;
      const { shape: batchShape } = packBatch(examples, "classification", held[2]);
      const planned = (adapter?: Adapter) =>
        planMemory(source, {
          ...{ optimiser, adapter, shape: batchShape, maxPositions: 96 },
          selection: { kinds: ["norms"] },
        });
      const { weights: withOne } = planned(held[2].adapter!.adapter);
      const { weights: without } = planned();
      assertEquals(withOne - without, 4 * 4 * shape.hidden);
    }
    assertEquals(gpu.memory.total, before);
    assertEquals(await losses(base), plain);
  });
});

Deno.test("a batch packed for another adapter, an adapter that is not started, and one without room are refused", async () => {
  await withDense(async (base) => {
    using model = base.withAdapter(leading.prompt(base));
    using evaluator = new Evaluator(model);
    const batch = packBatch(examples, "classification", base);
    await assertRejects(() => evaluator.run([batch]), RangeError, "pack it with the model");
    const pending = promptAdapter(base, { tokens: 3 });
    assertThrows(() => base.withAdapter(pending), TypeError, "use await startedAdapter");
    const long = promptAdapter(base, { tokens: 95, init: "random" });
    assertThrows(() => base.withAdapter(long), RangeError, "it takes 95 positions");
    const { config } = base;
    assertThrows(() => promptAdapter({ config }, { text: "a" }), RangeError, "has no tokenizer");
    assertThrows(() => promptAdapter(base, { tokens: 0 }), RangeError, "tokens");
  });
});
