// Biases and whole modules of the base that come with an adapter: trained, in ledgers, files and merged models, memory.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  type Adapter,
  describeAdapter,
  Evaluator,
  ia3Adapter,
  loadModel,
  loraAdapter,
  mergedSource,
  type Model,
  type ModelSource,
  openAdapter,
  openModelSource,
  packBatch,
  prefixAdapter,
  promptAdapter,
  quantizedSource,
  writePeft,
} from "../../../models/mod.ts";
import { openFile, writeFileWhole } from "../../../models/checkpoints/disk/files.ts";
import { readSafetensors, writeSafetensors } from "../../../quant/files/safetensors.ts";
import { zoAdam } from "../../../optim/mod.ts";
import {
  adapterOfLedger,
  exportAdapter,
  exportMerged,
  finetune,
  LedgerFile,
  offsetsFor,
  openLedger,
  replayLedger,
  replayOnHost,
} from "../../../train/mod.ts";
import { assertAdapterPath } from "../../../train/export_adapter.ts";
import { planMemory } from "../../../train/steps/memory_plan.ts";
import { withMerged } from "../../models/adapter_oracle.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { choiceExamples, ggufInMemory, smallShape, weightsOf } from "../../models/small_model.ts";
import { optLoss, smallOpt, writeOptFolder } from "../../models/small_opt.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { bitsOf } from "../tiny_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = { ...smallOpt, hidden: 256, feedForward: 256, vocabulary: 260, layers: 1 };
const examples = choiceExamples(260, [3, 1]);
const batch = packBatch(examples, "classification", 60);

const lossOf = async (...about: ConstructorParameters<typeof Evaluator>) => {
  using evaluator = new Evaluator(...about);
  return (await evaluator.run([batch]))[0].loss;
};

/** A quantised model, and LoRA beside it with a bias, a norm and the head of its own. */
async function withReplaced(
  body: (at: { source: ModelSource; base: Model; adapter: Adapter; folder: string }) => Promise<
    void
  >,
): Promise<void> {
  await withTemp(async (folder) => {
    await Deno.mkdir(join(folder, "base"));
    await writeOptFolder(join(folder, "base"), shape);
    using dense = await openModelSource(join(folder, "base"));
    const source = quantizedSource(dense, { format: "Q4_0" });
    using base = await loadModel(gpu, source);
    const random = randomNumbers(5);
    const names = ["blk.0.attn_q.bias", "blk.0.ffn_norm.weight", "blk.0.ffn_down.weight"];
    const replaced = new Map(names.map((name) => {
      const { rows, columns } = base.tensors.get(name)!;
      return [name, randomNormals(rows * columns, 0.1, random)] as const;
    }));
    const adapter = { ...loraAdapter(base, { rank: 4, seed: 2 }), replaced };
    await body({ source, base, adapter, folder });
  });
}

Deno.test("an adapter's own tensors stand in place of the base's: the loss is the oracle's, the base stays, memory is accounted", async () => {
  await withReplaced(async ({ source, base, adapter }) => {
    const [before, plain] = [gpu.memory.total, await lossOf(base)];
    const weights = await weightsOf(source);
    {
      using model = base.withAdapter(adapter);
      const own = Object.fromEntries(
        [...adapter.replaced!].map(([name, values]) => [name, Float64Array.from(values)]),
      );
      const merged = withMerged({ ...weights, ...own }, model);
      const expected = optLoss(shape, merged, examples, "classification");
      assertAlmostEquals(await lossOf(model), expected, 3e-5);
      assert(Math.abs(expected - plain) > 1e-3, "they change nothing");
      const selection = { kinds: ["lora", "biases"] } as const;
      const how = { optimiser: zoAdam(), selection, shape: batch.shape };
      const [plan, without] = [{ ...adapter }, { ...adapter, replaced: undefined }].map((one) =>
        planMemory(source, { ...how, adapter: one })
      );
      const bytes = [...adapter.replaced!.values()].reduce((sum, one) => sum + one.byteLength, 0);
      assertEquals(plan.weights - without.weights, bytes);
      using alone = base.withAdapter(plainOf(adapter));
      assertEquals(gpu.memory.total - before, 2 * loraBytes(alone) + bytes);
    }
    assertEquals(gpu.memory.total, before);
    assertEquals(await lossOf(base), plain);
  });
});

const plainOf = ({ replaced: _, ...adapter }: Adapter): Adapter => adapter;

function loraBytes({ adapter }: Model): number {
  return [...adapter!.tensors.values()].reduce((sum, t) => sum + 4 * t.rows * t.columns, 0);
}

Deno.test("an adapter's own tensors that the model does not have are refused, and llama.cpp takes none", async () => {
  await withReplaced(async ({ base, adapter, folder }) => {
    const on = (name: string, length: number) => {
      const replaced = new Map([[name, new Float32Array(length)]]);
      return base.withAdapter({ ...adapter, replaced });
    };
    assertThrows(() => on("blk.9.attn_q.bias", 256), RangeError, "the model has no such tensor");
    assertThrows(() => on("blk.0.attn_q.bias", 255), RangeError, "the model has 1 x 256");
    const { config } = base;
    const about = { config, base: "", baseName: "" };
    const ia3 = { ...ia3Adapter(base), replaced: adapter.replaced };
    await assertRejects(
      () => writePeft(join(folder, "ia3"), { ...about, adapter: ia3 }),
      RangeError,
      "PEFT supports them only with LoRA",
    );
    using llama = await ggufInMemory(smallShape, randomLlama(smallShape));
    const norms = new Map([["output_norm.weight", new Float32Array(smallShape.hidden)]]);
    const theirs = { config: llama.config, adapter: { ...loraAdapter(llama), replaced: norms } };
    assertThrows(
      () => assertAdapterPath("adapter.gguf", theirs),
      RangeError,
      'includes "output_norm.weight" of the base',
    );
    // The table that a tied head is too.
    const settings = join(folder, "tied/adapter_config.json");
    const tied = { ...config, tiedHead: true };
    await writePeft(join(folder, "tied"), { ...about, adapter });
    assertEquals(JSON.parse(await Deno.readTextFile(settings)).bias, "lora_only");
    assertEquals(
      (await openAdapter(join(folder, "tied"), { config: tied })).adapter.replaced?.size,
      3,
    );
    const table = new Map([["token_embd.weight", new Float32Array(260 * 256)]]);
    await writePeft(join(folder, "table"), {
      ...{ ...about, config: { ...config, tiedHead: false } },
      adapter: { ...adapter, replaced: table },
    });
    await assertRejects(
      () => openAdapter(join(folder, "table"), { config: tied }),
      RangeError,
      "a table that embedding and head of this model share",
    );
  });
});

Deno.test("an adapter with tensors of its own is trained with them: ledger, replay, PEFT's folder and the merged model", async () => {
  await withReplaced(async ({ source, base, adapter, folder }) => {
    using model = base.withAdapter(adapter);
    const optimiser = zoAdam({ epsilon: 1e-2, learningRate: 1e-2, projection: "keep-sign" });
    const selection = {
      kinds: ["lora", "biases", "norms", "dense"],
      exclude: ["token*", "pos*"],
    } as const;
    using offsets = await offsetsFor(model, optimiser, { selection });
    const path = join(folder, "run.ledger");
    {
      using ledger = await LedgerFile.create(path, { model, optimiser, offsets, seed: 5 });
      const steps = finetune({
        ...{ model, optimiser, offsets, train: examples, ledger, seed: 5, steps: 6 },
        ...{ objective: "classification", batchSize: 2, keepBest: false },
      });
      for await (const _ of steps);
    }
    const bits = bitsOf(await offsets.read(gpu));
    for (const name of adapter.replaced!.keys()) {
      assert(bits[name].some((word) => word !== 0), `${name} did not move`);
    }
    const ledger = await openLedger(path);
    assertThrows(() => adapterOfLedger(ledger), RangeError, "must be given too");
    const other = new Map(adapter.replaced).set("blk.0.attn_q.bias", new Float32Array(256));
    assertThrows(
      () => adapterOfLedger(ledger, { ...adapter, replaced: other }),
      RangeError,
      "a different adapter from the one given",
    );
    assertEquals(bitsOf(await replayOnHost(source, ledger, { adapter })), bits);
    using replayed = await replayLedger(model, ledger);
    assertEquals(bitsOf(await replayed.read(gpu)), bits);

    const tuned = await lossOf(model, offsets);
    assert(tuned !== await lossOf(model), "nothing was trained");
    await exportAdapter(model, offsets, join(folder, "adapter"));
    const settings = JSON.parse(
      await Deno.readTextFile(join(folder, "adapter/adapter_config.json")),
    );
    assertEquals(settings.bias, "all");
    assert(settings.modules_to_save.includes("model.decoder.layers.0.fc2"));
    const { adapter: read } = await openAdapter(join(folder, "adapter"), base);
    assert(read.replaced!.size > adapter.replaced!.size, "what was trained is not all there");
    using reloaded = base.withAdapter(read);
    assertAlmostEquals(await lossOf(reloaded), tuned, 1e-6);
    await assertRejects(
      () => exportAdapter(model, offsets, join(folder, "adapter.gguf")),
      RangeError,
      "llama.cpp does not support this architecture",
    );
    const how = { path: join(folder, "merged"), packed: "requantise" } as const;
    await exportMerged(source, model, offsets, how);
    using written = await openModelSource(join(folder, "merged"));
    // Whole modules are dense there; what LoRA is beside was quantised anew.
    using whole = await loadModel(gpu, written);
    using expected = await loadModel(gpu, mergedSource(source, read, { packed: "requantise" }));
    assertAlmostEquals(await lossOf(whole), await lossOf(expected), 1e-4);
    assertEquals(written.tensors.get("blk.0.ffn_down.weight")!.format.name, "F32");
    assert("replaced" in (describeAdapter(adapter) as object));
  });
});

for (const scheme of ["prefix", "prompt"] as const) {
  Deno.test(`a ${scheme} is trained with norms, biases and dense matrices of the base, and PEFT's folder has all of it`, async () => {
    await withReplaced(async ({ base, folder }) => {
      const made = { prefix: prefixAdapter, prompt: promptAdapter }[scheme];
      using model = base.withAdapter(made(base, { tokens: 4, init: "random", seed: 3 }));
      const optimiser = zoAdam({ epsilon: 1e-2, learningRate: 1e-2 });
      const kinds = [scheme, "biases", "norms", "dense"] as const;
      const selection = { kinds, exclude: ["token*", "pos*"] };
      using offsets = await offsetsFor(model, optimiser, { selection });
      const steps = finetune({
        ...{ model, optimiser, offsets, train: examples, seed: 5, steps: 3 },
        ...{ objective: "classification", batchSize: 2, keepBest: false },
      });
      for await (const _ of steps);
      const own = packBatch(examples, "classification", model);
      const lossWith = async (...about: ConstructorParameters<typeof Evaluator>) => {
        using evaluator = new Evaluator(...about);
        return (await evaluator.run([own]))[0].loss;
      };
      const tuned = await lossWith(model, offsets);
      const out = join(folder, "adapter");
      await exportAdapter(model, offsets, out);
      const { modules_to_save: modules, bias } = JSON.parse(
        await Deno.readTextFile(join(out, "adapter_config.json")),
      );
      assertEquals(bias, undefined);
      // A module with a weight and a bias is one module.
      const norm = "model.decoder.layers.0.final_layer_norm";
      assertEquals(modules.filter((path: string) => path === norm), [norm]);
      assert(modules.includes("model.decoder.layers.0.self_attn.q_proj"));
      const { adapter, notes = [] } = await openAdapter(out, base);
      assertEquals([adapter.scheme, notes], [scheme, []]);
      using reloaded = base.withAdapter(adapter);
      assertAlmostEquals(await lossWith(reloaded), tuned, 1e-6);
      using without = base.withAdapter({ ...adapter, replaced: undefined });
      assert(Math.abs(await lossWith(without) - tuned) > 1e-4, "the base's own change nothing");
    });
  });
}

Deno.test("next to a prompt PEFT does not use an embedding of its own: ignored with a note, and not written", async () => {
  await withReplaced(async ({ base: { config }, folder }) => {
    const untied = { ...config, tiedHead: false };
    const table = new Map([["token_embd.weight", new Float32Array(260 * 256).fill(1)]]);
    const about = { config: untied, base: "", baseName: "" };
    const prefix = { ...prefixAdapter({ config }, { init: "random" }), replaced: table };
    const path = join(folder, "prefix");
    await writePeft(path, { ...about, adapter: prefix });
    assertEquals((await openAdapter(path, { config: untied })).adapter.replaced, table);
    const prompt = { ...promptAdapter({ config }, { init: "random" }), replaced: table };
    await assertRejects(
      () => writePeft(join(folder, "prompt"), { ...about, adapter: prompt }),
      RangeError,
      "PEFT looks tokens behind a prompt up in the base's own embedding",
    );
    const { replaced: _, ...alone } = prompt;
    const folderOfPrompt = join(folder, "prompt");
    await writePeft(folderOfPrompt, { ...about, adapter: alone });
    const file = join(folderOfPrompt, "adapter_model.safetensors");
    using source = await openFile(file, "adapter");
    const { tensors } = await readSafetensors(source);
    const { shape, offset, byteLength } = tensors.get("prompt_embeddings")!;
    const vectors = await source.read(offset, byteLength);
    const f32 = (name: string, shape: readonly number[], bytes: Uint8Array<ArrayBuffer>) => ({
      ...{ name, shape, bytes },
      dtype: "F32" as const,
    });
    const written = writeSafetensors([
      f32("prompt_embeddings", shape, vectors),
      f32("base_model.model.decoder.embed_tokens.weight", [260, 256], new Uint8Array(4 * 66560)),
    ], {});
    await writeFileWhole(file, written);
    const { adapter, notes = [] } = await openAdapter(folderOfPrompt, { config: untied });
    assertEquals(adapter.replaced, undefined);
    assertEquals(notes.length, 1);
    assert(/embedding in modules_to_save is ignored, as in PEFT/.test(notes[0]), notes[0]);
  });
});
