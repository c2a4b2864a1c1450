// Adapters as PEFT itself saved them, and the logits that it computed with them (tests/support/vectors/peft_vectors.py).
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { fitAdapter } from "../../../models/adapters/adapted.ts";
import {
  loadModel,
  loraAdapter,
  type ModelSource,
  openAdapter,
  openModelSource,
} from "../../../models/mod.ts";
import { openPeft } from "../../../models/checkpoints/adapters/open_peft.ts";
import { writePeft } from "../../../models/checkpoints/adapters/write_peft.ts";
import type { LlamaShape } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { logitsOf } from "../../support/model_logits.ts";
import {
  permuteHeads,
  randomLlama,
  randomNormals,
  randomNumbers,
} from "../../support/random_llama.ts";
import { writeRandomFolder } from "../random_folder.ts";
import { peftBases, peftCases, peftTokens, promptBases } from "../../support/vectors/peft_cases.ts";
import { withTemp } from "../quantised_folder.ts";
import { ggufInMemory, randomTokens, smallShape, withFolder } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const fixtures = join(import.meta.dirname!, "../../fixtures/peft");

/** The base of a fixture, opened. */
async function withBase(name: string, body: (source: ModelSource) => Promise<void>): Promise<void> {
  await withTemp(async (folder) => {
    await writeRandomFolder(folder, { ...promptBases, ...peftBases }[peftCases[name]]);
    using source = await openModelSource(folder);
    await body(source);
  });
}

for (const [name, baseOf] of Object.entries(peftCases)) {
  Deno.test(`PEFT: logits of ${name} with its adapter are PEFT's own`, async () => {
    await withBase(name, async (source) => {
      using base = await loadModel(gpu, source);
      const { adapter, baseName } = await openPeft(join(fixtures, name), base);
      assertEquals(baseName, `random/${baseOf}`);
      using model = base.withAdapter(adapter);
      const expected = new Float32Array(
        (await Deno.readFile(join(fixtures, name, "logits.f32"))).buffer,
      );
      const last = async (one: typeof base) =>
        (await logitsOf(gpu, one, peftTokens)).slice(-expected.length);
      const error = relativeL2(await last(model), expected);
      assert(error < 1e-5, `relative L2 is ${error}`);
      assert(relativeL2(await last(base), expected) > 1e-2, "the adapter changes nothing");
    });
  });

  Deno.test(`PEFT: the adapter of ${name}, written and read again, is the same`, async () => {
    await withBase(name, async (source) => {
      const opened = await openPeft(join(fixtures, name), source);
      await withTemp(async (folder) => {
        const out = join(folder, "adapter");
        const about = { config: source.config, base: "2:abc", baseName: `random/${baseOf}` };
        await writePeft(out, { ...about, adapter: opened.adapter });
        const again = await openPeft(out, source);
        assertEquals(again, { ...opened, base: "2:abc" });
        const bytes = await Deno.readFile(join(out, "adapter_model.safetensors"));
        await writePeft(out, { ...about, adapter: again.adapter });
        assertEquals(await Deno.readFile(join(out, "adapter_model.safetensors")), bytes);
      });
    });
  });
}

/** A fixture's settings and files, changed. */
async function refused(
  change: Record<string, unknown>,
  words: string,
  name = "llama",
): Promise<void> {
  await withBase("llama", async (source) => {
    await withTemp(async (folder) => {
      const from = join(fixtures, name);
      await Deno.copyFile(
        join(from, "adapter_model.safetensors"),
        join(folder, "adapter_model.safetensors"),
      );
      const config = JSON.parse(await Deno.readTextFile(join(from, "adapter_config.json")));
      await Deno.writeTextFile(
        join(folder, "adapter_config.json"),
        JSON.stringify({ ...config, ...change }),
      );
      await assertRejects(() => openPeft(folder, source), RangeError, words);
    });
  });
}

Deno.test("PEFT: what is not computed here is refused by name, and what does not fit", async () => {
  await refused({ use_dora: true }, "use_dora true is not supported: DoRA divides by the norms");
  for (const start of ["pissa", "pissa_niter_16", "olora", "loftq", "corda", "lora_ga"]) {
    await refused({ init_lora_weights: start }, "changes the base's weights");
  }
  await refused({ peft_type: "OFT" }, 'peft_type is "OFT", only IA3, LORA, PREFIX_TUNING');
  await refused({ peft_type: "IA3", feedforward_modules: [] }, 'bias "none" is not a known key');
  await refused({ trainable_token_indices: [1] }, "rows of the embedding");
  await refused({ target_parameters: ["a"] }, "not linear layers");
  await refused({ kasa_config: { beta: 1e-4, gamma: 1e-3 } }, "kasa_config");
  await refused({ use_bdlora: { nblocks: 2 } }, "block-diagonal");
  await refused({ layer_replication: [[0, 1]] }, "layers of the model would be repeated");
  await refused({ alora_invocation_tokens: [3] }, "only after certain tokens");
  await refused({ something_new: 3 }, "something_new 3 is not a known key and may change");
  await refused(
    { r: 8 },
    "it gives rank 8 for model.layers.0.self_attn.q_proj, but the matrices have 4",
  );
  await refused({ rank_pattern: { q_proj: 5 } }, "it gives rank 5");
  await refused({ alpha_pattern: { "(a+)+": 5 } }, "contains a nested repetition");
  await refused({ lora_alpha: 0 }, "lora_alpha 0");
  await refused({ lora_alpha: "8" }, 'lora_alpha "8"');
  await refused({}, "adapters fit only their own architecture", "gpt2");
  await refused({}, "has shape [96,4], but the model", "qwen3");
});

Deno.test("PEFT: beside a GGUF file, whose rows of rotated heads lie otherwise, an adapter does what it does beside the folder", async () => {
  const shape: LlamaShape = { ...smallShape, rope: "neox" };
  const weights = randomLlama(shape);
  const tokens = randomTokens(shape.vocabulary, 12, 3);
  await withFolder(shape, weights, async (folder) => {
    using source = await openModelSource(folder);
    using base = await loadModel(gpu, source);
    const adapter = loraAdapter(base, { targets: "all-linear", rank: 3 });
    const random = randomNumbers(8);
    const values = new Map(
      [...fitAdapter(base.config, adapter).tensors].map(([name, { rows, columns }]) =>
        [name, randomNormals(rows * columns, 0.2, random)] as const
      ),
    );
    // Whole modules too: rows of rotated heads, and a norm.
    const replaced = new Map(
      ["blk.0.attn_k.weight", "blk.1.attn_norm.weight"].map((name) => {
        const { rows, columns } = base.tensors.get(name)!;
        return [name, randomNormals(rows * columns, 0.3, random)] as const;
      }),
    );
    const filled = { ...adapter, values, replaced };
    using model = base.withAdapter(filled);
    const out = join(folder, "adapter");
    await writePeft(out, { config: base.config, adapter: filled, base: "", baseName: "" });
    using gguf = await ggufInMemory({ ...shape, rope: "norm" }, permuteHeads(shape, weights));
    using converted = await loadModel(gpu, gguf);
    using beside = converted.withAdapter((await openAdapter(out, converted)).adapter);
    const [one, other] = [await logitsOf(gpu, model, tokens), await logitsOf(gpu, beside, tokens)];
    assert(relativeL2(one, other) < 1e-5, `relative L2 is ${relativeL2(one, other)}`);
    assert(relativeL2(one, await logitsOf(gpu, base, tokens)) > 1e-2);
    const again = join(folder, "again");
    const about = { adapter: beside.adapter!.adapter, base: "", baseName: "" };
    await writePeft(again, { config: converted.config, ...about });
    const bytes = await Deno.readFile(join(out, "adapter_model.safetensors"));
    assertEquals(await Deno.readFile(join(again, "adapter_model.safetensors")), bytes);
  });
});

// What adapter_config.json holds in public repositories besides what PEFT 0.21 writes: of first and of latest versions, of other trainers.
Deno.test("PEFT: settings as older, newer and other programs write them are read", async () => {
  const written: Record<string, unknown>[] = [
    { enable_lora: null, merge_weights: false, peft_version: undefined },
    { peft_version: "0.18.2.dev0@UNKNOWN", use_bdlora: null, monteclora_config: null },
    { init_lora_weights: "mica", velora_config: null, ensure_weight_tying: false },
    { target_modules: null, exclude_modules: null, alora_invocation_tokens: null },
    {
      auto_mapping: { base_model_class: "LlamaForCausalLM", parent_library: "transformers" },
      task_type: null,
      inference_mode: false,
    },
    { task_type: "SEQ_CLS", modules_to_save: ["classifier", "score"] },
    { target_modules: "^.*self_attn\\.(q|v)_proj$", rank_pattern: null, alpha_pattern: null },
  ];
  await withBase("llama", async (source) => {
    const from = join(fixtures, "llama");
    const usual = JSON.parse(await Deno.readTextFile(join(from, "adapter_config.json")));
    const expected = await openPeft(from, source);
    for (const change of written) {
      await withTemp(async (folder) => {
        const weights = "adapter_model.safetensors";
        await Deno.copyFile(join(from, weights), join(folder, weights));
        const settings = JSON.stringify({ ...usual, ...change });
        await Deno.writeTextFile(join(folder, "adapter_config.json"), settings);
        assertEquals(await openPeft(folder, source), expected, JSON.stringify(change));
      });
    }
  });
});

Deno.test("PEFT: the head of a classifier is refused as what it is", async () => {
  await withBase("llama", async (source) => {
    await withTemp(async (folder) => {
      await Deno.copyFile(
        join(fixtures, "llama/adapter_config.json"),
        join(folder, "adapter_config.json"),
      );
      const file = await Deno.readFile(join(fixtures, "llama/adapter_model.safetensors"));
      const length = Number(new DataView(file.buffer).getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
      const data = file.subarray(8 + length);
      header["base_model.model.score.weight"] = {
        dtype: "F32",
        shape: [2, 4],
        data_offsets: [data.length, data.length + 32],
      };
      const text = new TextEncoder().encode(JSON.stringify(header));
      const out = new Uint8Array(8 + text.length + data.length + 32);
      new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
      out.set(text, 8);
      out.set(data, 8 + text.length);
      await Deno.writeFile(join(folder, "adapter_model.safetensors"), out);
      await assertRejects(() => openPeft(folder, source), RangeError, "head of a classifier");
    });
  });
});
