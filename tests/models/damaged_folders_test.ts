/**
 * Damaged quantised folders and split GGUF models: a typed error that says what was attempted, or a model whose every tensor can be
 * read, soon.
 */
import { assert } from "@std/assert";
import { join } from "@std/path";
import { openModelSource } from "../../models/mod.ts";
import {
  bytesSource,
  checkPacked,
  copiedMetadata,
  readGguf,
  type SafetensorsTensorData,
  writeGguf,
  writeSafetensors,
} from "../../quant/mod.ts";
import { collect } from "../quant/collect.ts";
import { mutate } from "../quant/mutations.ts";
import {
  awqWords,
  gptqWords,
  plainWeights,
  randomMatrix,
  scaleBits,
} from "../quant/transposed_writer.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { randomLlama, randomNumbers } from "../support/random_llama.ts";
import { quantisedTensors, type StoredLinear, tensorData, withTemp } from "./quantised_folder.ts";
import { ggufOf, huggingFaceConfig } from "./small_model.ts";
import {
  aqlmLinear,
  bitsandbytesLinear,
  compressedLinear,
  hqqLinear,
  torchaoLinear,
} from "./stored_linears.ts";
import { mutated } from "./tokenizer_mutate.ts";

const RUNS = 300;

const shape: LlamaShape = {
  hidden: 64,
  layers: 1,
  feedForward: 64,
  heads: 2,
  kvHeads: 1,
  vocabulary: 32,
  epsilon: 1e-5,
  ropeBase: 10000,
  rope: "neox",
};

/** GPTQ with columns in another order, or AWQ. */
function transposed(method: "gptq" | "awq") {
  return (module: string, rows: number, columns: number, seed: number): StoredLinear => {
    const m = randomMatrix(seed, 4, 32, rows, columns);
    const { qweight, qzeros } = method === "awq" ? awqWords(m) : gptqWords(m, "v1");
    const i32 = (name: string, dimensions: number[], words: Int32Array<ArrayBuffer>) =>
      tensorData(`${module}.${name}`, "I32", dimensions, words);
    const gIdx = Int32Array.from({ length: columns }, (_, i) => i % (columns / 32));
    return {
      tensors: [
        i32("qweight", method === "awq" ? [columns, rows / 8] : [columns / 8, rows], qweight),
        i32("qzeros", [columns / 32, rows / 8], qzeros),
        tensorData(`${module}.scales`, "F16", [columns / 32, rows], scaleBits(m)),
        ...method === "gptq" ? [i32("g_idx", [columns], gIdx)] : [],
      ],
      weights: plainWeights(m),
    };
  };
}

const METHODS: Record<string, [Record<string, unknown>, Parameters<typeof quantisedTensors>[1]]> = {
  gptq: [{ quant_method: "gptq", bits: 4, group_size: 32, desc_act: true }, transposed("gptq")],
  awq: [{ quant_method: "awq", bits: 4, group_size: 32, version: "gemm" }, transposed("awq")],
  hqq: [{ quant_method: "hqq" }, hqqLinear("3bit_32", 32)],
  "compressed-tensors": [
    {
      quant_method: "compressed-tensors",
      format: "pack-quantized",
      config_groups: {
        group_0: { weights: { num_bits: 4, type: "int", symmetric: false, group_size: 32 } },
      },
    },
    compressedLinear(4, 32, false, { dtype: "BF16" }),
  ],
  aqlm: [
    { quant_method: "aqlm", num_codebooks: 2, nbits_per_codebook: 8, in_group_size: 8 },
    aqlmLinear(2),
  ],
  torchao: [{ quant_method: "torchao" }, torchaoLinear(32, false)],
  bitsandbytes: [
    { quant_method: "bitsandbytes", load_in_4bit: true },
    bitsandbytesLinear("nf4", 32, { nested: true }),
  ],
};

/** Opens and reads everything; an answer, or a typed error in this library's words. */
async function attempt(path: string, what: string): Promise<boolean> {
  const begun = performance.now();
  let works = true;
  try {
    using source = await openModelSource(path);
    for (const tensor of source.tensors.values()) checkPacked(await tensor.read(0, tensor.rows));
  } catch (error) {
    works = false;
    const typed = error instanceof SyntaxError || error instanceof RangeError ||
      error instanceof TypeError || error instanceof Deno.errors.NotFound;
    assert(typed, `${what}: ${error instanceof Error ? error.stack : error}`);
    if (!(error instanceof Deno.errors.NotFound)) {
      assert(/^Cannot /.test(error.message), `${what}: ${error.stack}`);
    }
  }
  const took = performance.now() - begun;
  // Under a second on a machine of its own; test files run side by side.
  assert(took < 3000, `${what}: ${took} ms`);
  return works;
}

async function stored(tensors: readonly SafetensorsTensorData[]): Promise<Uint8Array<ArrayBuffer>> {
  return await collect(writeSafetensors(tensors));
}

for (const [name, [settings, linear]] of Object.entries(METHODS)) {
  Deno.test(`${RUNS} damaged ${name} folders give an answer or a typed error`, async () => {
    const weights = await stored(quantisedTensors(shape, linear).tensors);
    const header = 8 + new DataView(weights.buffer).getUint32(0, true);
    const config = huggingFaceConfig(shape, false);
    await withTemp(async (folder) => {
      const write = async (bytes: Uint8Array, quantization_config: unknown) => {
        await Deno.writeFile(join(folder, "model.safetensors"), bytes);
        const json = JSON.stringify({ ...config, quantization_config });
        await Deno.writeTextFile(join(folder, "config.json"), json);
      };
      await write(weights, settings);
      assert(await attempt(folder, "undamaged"));
      let works = 0;
      for (let seed = 0; seed < RUNS; seed++) {
        // The header, any byte (settings lie in tensors, too), the settings.
        if (seed % 3 === 2) await write(weights, mutated(settings, randomNumbers(seed)));
        else {
          const damaged = mutate(weights, seed % 3 === 0 ? header : weights.length, seed);
          await write(damaged, settings);
        }
        if (await attempt(folder, `seed ${seed}`)) works++;
      }
      assert(works > 0 && works < RUNS - 50, `${works} of ${RUNS} worked`);
    });
  });
}

Deno.test(`${RUNS} damaged split GGUF models give an answer or a typed error`, async () => {
  const norm: LlamaShape = { ...shape, vocabulary: 260, rope: "norm" };
  const bytes = ggufOf(norm, randomLlama(norm));
  const file = await readGguf(bytesSource(bytes));
  const parts = await Promise.all([0, 1].map((i) => {
    const tensors = file.tensors.filter((_, at) => at % 2 === i).map((tensor) => ({
      ...tensor,
      bytes: bytes.subarray(tensor.offset, tensor.offset + tensor.byteLength),
    }));
    const metadata = i === 0 ? copiedMetadata(file) : new Map();
    metadata.set("split.no", { type: "uint16", value: i });
    metadata.set("split.count", { type: "uint16", value: 2 });
    metadata.set("split.tensors.count", { type: "int32", value: file.tensors.length });
    return collect(writeGguf({ metadata, tensors }));
  }));
  const headers = await Promise.all(
    parts.map(async (part) => (await readGguf(bytesSource(part))).dataOffset),
  );
  await withTemp(async (folder) => {
    const paths = [1, 2].map((i) => join(folder, `m-0000${i}-of-00002.gguf`));
    for (const [i, path] of paths.entries()) await Deno.writeFile(path, parts[i]);
    assert(await attempt(paths[0], "undamaged"));
    let works = 0;
    for (let seed = 0; seed < RUNS; seed++) {
      const hit = seed % 2;
      await Deno.writeFile(paths[hit], mutate(parts[hit], headers[hit], seed >> 1));
      await Deno.writeFile(paths[1 - hit], parts[1 - hit]);
      if (await attempt(paths[0], `seed ${seed}`)) works++;
    }
    assert(works > 0 && works < RUNS - 50, `${works} of ${RUNS} worked`);
  });
});
