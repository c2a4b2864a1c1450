/**
 * Folders of every architecture in 16 bits and in the forms that other libraries quantise it to: what is read is what was written, the model computes
 * what an F32 folder of the same numbers does, and it goes back into its own files, nothing changed but trained scales.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { loadModel, openModelSource, writeModel } from "../../../models/mod.ts";
import { ARCHITECTURES, weightsOf as listOf } from "../../../models/architectures.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { sampled } from "../../support/sampled.ts";
import { checkWrittenBack, type StoredLinear, tensorData, withTemp } from "../quantised_folder.ts";
import { aqlm, bitsandbytes, compressed, hqq, type Settings } from "../quantised_folder_cases.ts";
import { type DenseType, writeRandomFolder } from "../random_folder.ts";
import { SMALL_CONFIGS } from "../small_configs.ts";
import { randomTokens, weightsOf } from "../small_model.ts";
import {
  aqlmLinear,
  bitsandbytesLinear,
  compressedLinear,
  hqqLinear,
  torchaoLinear,
} from "../stored_linears.ts";
import { transposedLinear } from "../stored_transposed.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

interface Method {
  readonly settings: Settings;
  readonly linear: (module: string, rows: number, columns: number, seed: number) => StoredLinear;
  readonly format: string;
  /** The tensors that trained scales may change. */
  readonly scales: RegExp;
  /** Of scales that are rounded twice, to f16 and to the file's type. */
  readonly tolerance?: number;
}

const METHODS = {
  GPTQ: {
    settings: { quant_method: "gptq", bits: 4, group_size: 32, desc_act: false, sym: false },
    linear: transposedLinear("gptq"),
    format: "int4z_g32",
    scales: /\.scales$/,
  },
  AWQ: {
    settings: { quant_method: "awq", bits: 4, group_size: 32, version: "gemm", zero_point: true },
    linear: transposedLinear("awq"),
    format: "int4z_g32",
    scales: /\.scales$/,
  },
  bitsandbytes: {
    settings: bitsandbytes,
    linear: bitsandbytesLinear("nf4", 32),
    format: "nf4_g32",
    scales: /\.weight\.absmax$/,
    tolerance: 2 ** -10,
  },
  HQQ: {
    settings: hqq,
    linear: hqqLinear("4bit_u8", 32),
    format: "int4z_g32",
    scales: /\.scale$/,
  },
  "compressed-tensors": {
    settings: compressed({ num_bits: 4, group_size: 32, symmetric: false, actorder: "weight" }),
    linear: compressedLinear(4, 32, false),
    format: "int4z_g32",
    scales: /\.weight_scale$/,
  },
  AQLM: {
    settings: { ...aqlm, num_codebooks: 1 },
    linear: aqlmLinear(1),
    format: "codebook1x8",
    scales: /\.scales$/,
  },
  torchao: {
    settings: {
      quant_method: "torchao",
      quant_type: { default: { _type: "IntxWeightOnlyConfig" } },
    },
    linear: torchaoLinear(32, false),
    format: "int8z_g32",
    scales: /\._weight_scale$/,
    tolerance: 2 ** -8,
  },
} satisfies Record<string, Method>;

const EVERY = Object.keys(METHODS) as (keyof typeof METHODS)[];
const ENCODER: typeof EVERY = ["bitsandbytes", "HQQ", "compressed-tensors", "torchao"];

/** Which of them quantise an architecture: GPT-2's matrices are of another class, GPTQ and AWQ know no encoders, AQLM knows relatives of Llama. */
const FORMS: Readonly<Record<string, typeof EVERY>> = {
  opt: ["GPTQ", "AWQ", ...ENCODER],
  gpt2: ["GPTQ", "bitsandbytes"],
  ...Object.fromEntries(["roberta", "xlm-roberta", "camembert", "bert"].map((it) => [it, ENCODER])),
};

const CASES = Object.keys(SMALL_CONFIGS)
  .flatMap((model) => (FORMS[model] ?? EVERY).map((method) => [model, method] as const));

async function logitsIn(folder: string, tokens: number[]): Promise<Float32Array> {
  using source = await openModelSource(folder);
  using model = await loadModel(gpu, source);
  return await logitsOf(gpu, model, tokens);
}

/** The same numbers as a dense matrix; a row of the file is an input where `turned`. */
function denseLinear({ linear }: Method, turned: boolean): Method["linear"] {
  return (module, rows, columns, seed) => {
    const { weights } = linear(module, rows, columns, seed);
    const values = turned
      ? weights.map((_, i) => weights[i % rows * columns + Math.floor(i / rows)])
      : weights;
    const shape = turned ? [columns, rows] : [rows, columns];
    return { tensors: [tensorData(`${module}.weight`, "F32", shape, values.slice())], weights };
  };
}

for (const [model, name] of sampled("quantised architectures", CASES, 0.1)) {
  const method: Method = METHODS[name];
  const config = SMALL_CONFIGS[model];
  Deno.test(`${model} quantised by ${name}: read bit for bit, computes as a dense folder of these numbers, goes back with scales changed alone`, async () => {
    await withTemp(async (root) => {
      const [folder, dense] = [join(root, "quantised"), join(root, "dense")];
      for (const path of [folder, dense]) await Deno.mkdir(path);
      const written = new Map<string, Float32Array>();
      const settings = { ...config, quantization_config: method.settings };
      await writeRandomFolder(folder, settings, {
        linear: (module, ...rest) => {
          const stored = method.linear(module, ...rest);
          written.set(`${module}.weight`, stored.weights);
          return stored;
        },
      });
      const turned = config.model_type === "gpt2";
      await writeRandomFolder(dense, config, { linear: denseLinear(method, turned) });
      {
        using source = await openModelSource(folder);
        const found = await weightsOf(source);
        assert(written.size > 0);
        for (const { name, huggingFace } of listOf(source.config)) {
          const values = written.get(huggingFace);
          assertEquals(source.tensors.get(name)!.format.name, values ? method.format : "F32", name);
          if (values) assertEquals(Float32Array.from(found[name]), values, name);
        }
        const tokens = randomTokens(source.config.vocabulary, 20, 5);
        const difference = relativeL2(
          await logitsIn(folder, tokens),
          await logitsIn(dense, tokens),
        );
        assert(difference < 1e-5, `relative L2 to the dense folder's logits is ${difference}`);
      }
      await checkWrittenBack(folder, method.scales, { tolerance: method.tolerance ?? 0 });
    });
  });
}

const DENSE = Object.keys(SMALL_CONFIGS)
  .flatMap((model) => (["F16", "BF16"] as const).map((type) => [model, type] as const));

for (const [model, dtype] of sampled("16-bit architectures", DENSE, 0.2)) {
  Deno.test(`${model} in ${dtype} computes as in F32 with the same numbers, and is written back to the byte`, async () => {
    await withTemp(async (root) => {
      const write = async (name: string, dtype: DenseType, numbers: DenseType) => {
        const folder = join(root, name);
        await Deno.mkdir(folder);
        await writeRandomFolder(folder, SMALL_CONFIGS[model], { dtype, numbers });
        return folder;
      };
      const [narrow, wide] = [
        await write("narrow", dtype, dtype),
        await write("f32", "F32", dtype),
      ];
      using source = await openModelSource(narrow);
      using other = await openModelSource(wide);
      assertEquals(await weightsOf(source), await weightsOf(other));
      const tokens = randomTokens(source.config.vocabulary, 20, 5);
      const difference = relativeL2(await logitsIn(narrow, tokens), await logitsIn(wide, tokens));
      assert(difference < 1e-5, `relative L2 to the logits of F32 is ${difference}`);
      await writeModel(source, join(root, "back"));
      for (const file of ["config.json", "model.safetensors"]) {
        const bytes = await Deno.readFile(join(root, "back", file));
        assertEquals(bytes, await Deno.readFile(join(narrow, file)), file);
      }
    });
  });
}

Deno.test("every architecture has a small configuration, as every model_type", () => {
  const types = ARCHITECTURES.flatMap(({ huggingFace }) => huggingFace.modelTypes);
  assertEquals(new Set(Object.keys(SMALL_CONFIGS)), new Set(types));
});
