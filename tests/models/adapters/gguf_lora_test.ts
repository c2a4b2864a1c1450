// LoRA as llama.cpp's GGUF files have it: what llama.cpp itself computes with the files that are written, and what is read of them.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { fitAdapter } from "../../../models/adapters/adapted.ts";
import {
  type Adapter,
  loadModel,
  loraAdapter,
  type LoraOptions,
  type LoraPlan,
  type ModelSource,
  openAdapter,
  openModelSource,
  writeModel,
} from "../../../models/mod.ts";
import {
  assertGgufAdapter,
  writeGgufAdapter,
} from "../../../models/checkpoints/adapters/write_gguf_adapter.ts";
import { writePeft } from "../../../models/checkpoints/adapters/write_peft.ts";
import { formatByName, quantize } from "../../../quant/mod.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { f32Tensor, ggufBytes, type GgufTensor } from "../../support/gguf_writer.ts";
import { llamaCppLogitsOf, llamaCppMissing } from "../../support/llama_cpp.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { peftBases } from "../../support/vectors/peft_cases.ts";
import { writeTokenizer } from "../architectures/written_folder.ts";
import { withTemp } from "../quantised_folder.ts";
import { writeRandomFolder } from "../random_folder.ts";
import { randomTokens, smallShape } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const vocabulary = 264;
const tokens = randomTokens(vocabulary, 12, 3);

/** A random model in a folder, with a tokenizer. */
async function withModel(
  name: string,
  body: (source: ModelSource, folder: string) => Promise<void>,
): Promise<void> {
  await withTemp(async (folder) => {
    const base = join(folder, "base");
    await Deno.mkdir(base);
    await writeRandomFolder(base, { ...peftBases[name], vocab_size: vocabulary });
    await writeTokenizer(base, { ...smallShape, vocabulary });
    using source = await openModelSource(base);
    await body(source, folder);
  });
}

/** A new adapter with random values in place of zeros. */
function filled(source: ModelSource, options: LoraOptions): Adapter & { readonly plan: LoraPlan } {
  const adapter = loraAdapter(source, options);
  const random = randomNumbers(8);
  const values = new Map(
    [...fitAdapter(source.config, adapter).tensors].map(([name, { rows, columns }]) =>
      [name, randomNormals(rows * columns, 0.2, random)] as const
    ),
  );
  return { ...adapter, values };
}

const cases: Record<string, LoraOptions> = {
  llama: { targets: "all-linear", rank: 3, alpha: 6 },
  qwen2: {
    targets: ["q_proj", "k_proj", "down_proj"],
    rank: 4,
    alphaPattern: { k_proj: 3 },
    rankPattern: { "layers\\.1\\..*": 2 },
  },
  qwen3: { targets: ["v_proj", "o_proj", "up_proj"], rank: 2, layers: [1, 1] },
  phi3: { targets: ["qkv_proj", "gate_up_proj"], rslora: true, rank: 5 },
};

const missing = await llamaCppMissing();
for (const [name, options] of Object.entries(cases)) {
  const skipped = missing ? ` (skipped: ${missing})` : "";
  Deno.test(
    `GGUF LoRA: logits of ${name} with an adapter are llama.cpp's with the file${skipped}`,
    { ignore: missing !== undefined },
    async () => {
      await withModel(name, async (source, folder) => {
        const adapter = filled(source, options);
        const [model, file] = [join(folder, "model.gguf"), join(folder, "adapter.gguf")];
        await writeModel(source, model);
        const { config } = source;
        await writeGgufAdapter(file, { config, adapter, base: "2:abc", baseName: name });
        const [theirs] = await llamaCppLogitsOf(model, [tokens], { lora: file });
        const [plain] = await llamaCppLogitsOf(model, [tokens]);
        const expected = theirs.flatMap((row) => [...row]);
        assert(relativeL2(plain.flatMap((row) => [...row]), expected) > 1e-2, "without effect");
        for (const path of [model, join(folder, "base")]) {
          using own = await openModelSource(path);
          using base = await loadModel(gpu, own);
          const opened = await openAdapter(file, base);
          assertEquals([opened.base, opened.baseName], ["2:abc", name]);
          using beside = base.withAdapter(opened.adapter);
          const error = relativeL2(await logitsOf(gpu, beside, tokens), expected);
          assert(error < 1e-4, `relative L2 of the logits beside ${path} is ${error}`);
        }
      });
    },
  );
}

Deno.test("GGUF LoRA: written and read, beside a folder and beside a file, every element is the same", async () => {
  await withModel("llama", async (source, folder) => {
    const adapter = filled(source, cases.llama);
    const [file, again] = ["adapter.gguf", "again.gguf"].map((name) => join(folder, name));
    const about = { base: "2:abc", baseName: "b" };
    await writeGgufAdapter(file, { ...about, config: source.config, adapter });
    const opened = await openAdapter(file, source);
    assertEquals(opened.adapter.plan, adapter.plan);
    assertEquals(opened.adapter.values, adapter.values);
    await writeModel(source, join(folder, "model.gguf"));
    using converted = await openModelSource(join(folder, "model.gguf"));
    const beside = await openAdapter(file, converted);
    await writeGgufAdapter(again, { ...about, config: converted.config, adapter: beside.adapter });
    assertEquals(await Deno.readFile(again), await Deno.readFile(file));
    const peft = async (name: string, config: ModelSource["config"], one: Adapter) => {
      await writePeft(join(folder, name), { ...about, config, adapter: one });
      return await Deno.readFile(join(folder, name, "adapter_model.safetensors"));
    };
    assertEquals(
      await peft("a", converted.config, beside.adapter),
      await peft("b", source.config, adapter),
    );
  });
});

/** A file written without the library. */
async function writeFile(
  path: string,
  tensors: Readonly<Record<string, GgufTensor>>,
  changed: Parameters<typeof ggufBytes>[0] = {},
): Promise<void> {
  const metadata = {
    "general.architecture": { kind: "string", value: "llama" },
    "general.type": { kind: "string", value: "adapter" },
    "adapter.type": { kind: "string", value: "lora" },
    "adapter.lora.alpha": { kind: "f32", value: 6 },
    ...changed,
  } as const;
  await Deno.writeFile(path, ggufBytes(metadata, tensors));
}

Deno.test("GGUF LoRA: other types are decoded, an alpha of 0 means a scale of 1, gains of norms are left out with a note", async () => {
  await withModel("llama", async (source, folder) => {
    const file = join(folder, "adapter.gguf");
    const random = randomNumbers(4);
    const q8 = (values: Float32Array, columns: number) => {
      const rows = values.length / columns;
      const packed = quantize(values, rows, columns, "Q8_0");
      return { type: 8, bytes: formatByName("Q8_0").pack(packed) };
    };
    const a = randomNormals(64 * 32, 0.2, random);
    const b = randomNormals(64 * 32, 0.2, random);
    const gain = f32Tensor(randomNormals(64, 1, random), [64]);
    await writeFile(file, {
      "blk.0.attn_v.weight.lora_a": { dimensions: [64, 32], ...q8(a, 64) },
      "blk.0.attn_v.weight.lora_b": f32Tensor(b.slice(0, 32 * 32), [32, 32]),
      "blk.0.attn_norm.weight": gain,
    }, { "adapter.lora.alpha": { kind: "f32", value: 0 } });
    const { adapter, notes } = await openAdapter(file, source);
    assertEquals(adapter.plan, {
      matrices: [{ matrix: "blk.0.attn_v.weight", rank: 32, scale: 1 }],
    });
    const read = adapter.values!.get("blk.0.attn_v.weight.lora_a")!;
    assert(relativeL2(read, a) < 0.01);
    assertEquals(notes?.length, 1);
  });
});

Deno.test("GGUF LoRA: what is no LoRA, is not computed, or does not fit is refused by name", async () => {
  await withModel("llama", async (source, folder) => {
    const file = join(folder, "adapter.gguf");
    const pair = {
      "blk.0.attn_q.weight.lora_a": f32Tensor(new Float32Array(128), [64, 2]),
      "blk.0.attn_q.weight.lora_b": f32Tensor(new Float32Array(128), [2, 64]),
    };
    const refused = async (
      words: string,
      changed: Parameters<typeof ggufBytes>[0],
      tensors: Readonly<Record<string, GgufTensor>> = pair,
    ) => {
      await writeFile(file, tensors, changed);
      await assertRejects(() => openAdapter(file, source), RangeError, words);
    };
    const text = (value: string) => ({ kind: "string", value }) as const;
    await refused('architecture "qwen2", this one is of "llama"', {
      "general.architecture": text("qwen2"),
    });
    await refused('general.type is "model"', { "general.type": text("model") });
    await refused('adapter.type is "control_vector"', { "adapter.type": text("control_vector") });
    await refused("adapter.lora.alpha", { "adapter.lora.alpha": text("6") });
    await refused("behind certain tokens only", {
      "adapter.alora.invocation_tokens": { kind: "i32s", value: [1] },
    });
    await refused('"adapter.lora.dora" is not known', { "adapter.lora.dora": text("yes") });
    await refused("it has no lora_a and lora_b", {}, {});
    const { "blk.0.attn_q.weight.lora_a": a, "blk.0.attn_q.weight.lora_b": b } = pair;
    await refused("has no lora_b beside it", {}, { "blk.0.attn_q.weight.lora_a": a });
    await refused("LoRA of the embedding", {}, { ...pair, "token_embd.weight.lora_a": a });
    await refused("belongs to no matrix", {}, { ...pair, "blk.7.attn_q.weight.lora_a": a });
    await refused("neither a lora_a nor a lora_b", {}, { ...pair, "rope_freqs.weight": a });
    await refused("has dimensions [2,32]", {}, {
      "blk.0.attn_q.weight.lora_a": a,
      "blk.0.attn_q.weight.lora_b": f32Tensor(new Float32Array(64), [2, 32]),
    });
    const broken = f32Tensor([NaN, ...new Float32Array(127)], [2, 64]);
    await refused("not finite", {}, { ...pair, "blk.0.attn_q.weight.lora_b": broken });
    const adapter = filled(source, {});
    const biased = { matrices: adapter.plan.matrices.map((one) => ({ ...one, bias: true })) };
    const { config } = source;
    assertThrows(
      () => assertGgufAdapter({ config, adapter: { ...adapter, plan: biased } }),
      RangeError,
      "no bias beside B",
    );
    assertEquals(b.type, 0);
  });
  await withModel("opt", (source) => {
    assertThrows(
      () => assertGgufAdapter({ config: source.config, adapter: filled(source, {}) }),
      RangeError,
      'architecture "opt", and llama.cpp knows no such architecture',
    );
    return Promise.resolve();
  });
});
