// mlx-lm's folders, written here as mlx-lm lays them out: what they compute is what PEFT's with the same numbers do.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  loadModel,
  type ModelSource,
  openAdapter,
  openModelSource,
  writeModel,
} from "../../../models/mod.ts";
import { type SafetensorsTensorData, writeSafetensors } from "../../../quant/mod.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { peftBases } from "../../support/vectors/peft_cases.ts";
import { withTemp } from "../quantised_folder.ts";
import { writeRandomFolder } from "../random_folder.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const tokens = [3, 141, 59, 26, 5, 35];

/** Narrow matrices by module, `[outputs][inputs]` of what they stand beside. */
const modules: Record<string, readonly [outputs: number, inputs: number]> = {
  "layers.0.self_attn.q_proj": [64, 64],
  "layers.1.self_attn.k_proj": [32, 64],
  "layers.1.mlp.down_proj": [64, 96],
};
const [rank, scale] = [3, 2.5];

function tensorOf(name: string, shape: readonly number[], values: Float32Array<ArrayBuffer>) {
  return { name, dtype: "F32", shape, bytes: new Uint8Array(values.buffer) } as const;
}

async function writeFolder(
  folder: string,
  [name, settings]: readonly [string, unknown],
  tensors: readonly SafetensorsTensorData[],
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(join(folder, name), ReadableStream.from(writeSafetensors(tensors)));
  await Deno.writeTextFile(join(folder, "adapter_config.json"), JSON.stringify(settings));
}

const settings = {
  ...{ fine_tune_type: "lora", num_layers: 2, model: "mlx/base", iters: 600, seed: 0 },
  lora_parameters: { rank, scale, dropout: 0, keys: ["self_attn.q_proj"] },
};

/** The same numbers as both libraries lay them out. */
function both(): { readonly mlx: SafetensorsTensorData[]; readonly peft: SafetensorsTensorData[] } {
  const random = randomNumbers(7);
  const [mlx, peft]: [SafetensorsTensorData[], SafetensorsTensorData[]] = [[], []];
  for (const [module, [outputs, inputs]] of Object.entries(modules)) {
    const a = randomNormals(inputs * rank, 0.2, random);
    const b = randomNormals(rank * outputs, 0.2, random);
    const turned = (values: Float32Array, rows: number) => {
      const columns = values.length / rows;
      return Float32Array.from(values, (_, i) => values[i % rows * columns + Math.floor(i / rows)]);
    };
    mlx.push(tensorOf(`model.${module}.lora_a`, [inputs, rank], a));
    mlx.push(tensorOf(`model.${module}.lora_b`, [rank, outputs], b));
    const stem = `base_model.model.model.${module}`;
    peft.push(tensorOf(`${stem}.lora_A.weight`, [rank, inputs], turned(a, inputs)));
    peft.push(tensorOf(`${stem}.lora_B.weight`, [outputs, rank], turned(b, rank)));
  }
  return { mlx, peft };
}

async function withBase(body: (source: ModelSource, folder: string) => Promise<void>) {
  await withTemp(async (folder) => {
    await Deno.mkdir(join(folder, "base"));
    await writeRandomFolder(join(folder, "base"), peftBases.llama);
    using source = await openModelSource(join(folder, "base"));
    await body(source, folder);
  });
}

Deno.test("mlx-lm: an adapter does what PEFT's with the same numbers does, beside a folder and beside a GGUF file", async () => {
  await withBase(async (source, folder) => {
    const { mlx, peft } = both();
    await writeFolder(join(folder, "mlx"), ["adapters.safetensors", settings], mlx);
    const like = { peft_type: "LORA", r: rank, lora_alpha: scale * rank };
    await writeFolder(join(folder, "peft"), ["adapter_model.safetensors", like], peft);
    await writeModel(source, join(folder, "model.gguf"));
    using gguf = await openModelSource(join(folder, "model.gguf"));
    for (const model of [source, gguf]) {
      const [ours, theirs] = await Promise.all(
        ["mlx", "peft"].map((name) => openAdapter(join(folder, name), model)),
      );
      assertEquals(ours.baseName, "mlx/base");
      assertEquals(ours.adapter, theirs.adapter);
      using base = await loadModel(gpu, model);
      using beside = base.withAdapter(ours.adapter);
      const plain = await logitsOf(gpu, base, tokens);
      assert(relativeL2(await logitsOf(gpu, beside, tokens), plain) > 1e-2);
    }
  });
});

Deno.test("mlx-lm: what is no LoRA, has two meanings, or does not fit is refused by name", async () => {
  await withBase(async (source, folder) => {
    const { mlx } = both();
    const at = join(folder, "mlx");
    const refused = async (words: string, change: object, tensors = mlx) => {
      await writeFolder(at, ["adapters.safetensors", { ...settings, ...change }], tensors);
      await assertRejects(() => openAdapter(at, source), RangeError, words);
    };
    const { lora_parameters } = settings;
    await refused('fine_tune_type is "dora"', { fine_tune_type: "dora" });
    await refused('fine_tune_type is "full"', { fine_tune_type: "full" });
    await refused("lora_parameters is", { lora_parameters: 3 });
    await refused("alpha 16 is not supported", {
      lora_parameters: { ...lora_parameters, alpha: 16 },
    });
    await refused("lora_parameters.scale", { lora_parameters: { ...lora_parameters, scale: "2" } });
    await refused("something", { lora_parameters: { ...lora_parameters, something: 1 } });
    await refused("is missing", {}, mlx.slice(0, 1));
    await refused("it contains no tensors", {}, []);
    const m = tensorOf("model.layers.0.self_attn.q_proj.m", [64], new Float32Array(64));
    await refused("belongs to DoRA", {}, [...mlx, m]);
    const more = tensorOf("model.layers.9.self_attn.q_proj.lora_a", [64, 3], new Float32Array(192));
    await refused("does not belong to any matrix", {}, [...mlx, more]);
    const wrong = tensorOf(mlx[1].name, [3, 32], new Float32Array(96));
    await refused("has shape [3,32]", {}, [mlx[0], wrong]);
  });
});
