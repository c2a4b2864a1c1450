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
    await refused({ init_lora_weights: start }, "alters the base's weights");
  }
  await refused({ peft_type: "OFT" }, 'peft_type is "OFT", only IA3, LORA, PREFIX_TUNING');
  await refused({ peft_type: "IA3", feedforward_modules: [] }, 'bias "none" is not known here');
  await refused({ trainable_token_indices: [1] }, "rows of the embedding");
  await refused({ target_parameters: ["a"] }, "no linear layers");
  await refused({ layer_replication: [[0, 1]] }, "layers more than once");
  await refused({ alora_invocation_tokens: [3] }, "behind certain tokens");
  await refused({ something_new: 3 }, "something_new 3 is not known here and may change");
  await refused(
    { r: 8 },
    "it says rank 8 for model.layers.0.self_attn.q_proj, whose matrices have 4",
  );
  await refused({ rank_pattern: { q_proj: 5 } }, "it says rank 5");
  await refused({ alpha_pattern: { "(a+)+": 5 } }, "repeats a repetition");
  await refused({ lora_alpha: 0 }, "lora_alpha 0");
  await refused({ lora_alpha: "8" }, 'lora_alpha "8"');
  await refused({}, "an adapter of another architecture does not fit", "gpt2");
  await refused({}, "has shape [96,4], the model", "qwen3");
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
