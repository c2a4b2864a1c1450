/**
 * Damaged files of every reader: an error in this library's words that names the file or tensor, or a model whose every tensor can be
 * read and decoded; soon, and without asking for more memory than the file has.
 *
 * One test, so that what was tried is counted in one place.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import process from "node:process";
import {
  type ModelSource,
  openModelSource,
  quantizedSource,
  writeAdapter,
  writeModel,
} from "../../models/mod.ts";
import { adaptedSource } from "../../models/checkpoints/derived/tuned_values.ts";
import {
  bytesSource,
  decode,
  FORMATS,
  type PackedTensor,
  readGguf,
  readSafetensors,
  type SafetensorsTensorData,
  writeGguf,
  writeSafetensors,
} from "../../quant/mod.ts";
import { copiedMetadata } from "../../quant/files/gguf_split.ts";
import { formatByGgufType } from "../../quant/formats/formats.ts";
import { planeBytes } from "../../quant/layouts/planes.ts";
import {
  quantisedTensors,
  randomOffsets,
  type StoredLinear,
  tensorData,
  withTemp,
  writeFolder,
} from "../models/quantised_folder.ts";
import { ggufOf, huggingFaceConfig } from "../models/small_model.ts";
import {
  aqlmLinear,
  bitsandbytesLinear,
  compressedLinear,
  hqqLinear,
  torchaoInt4Linear,
  torchaoLinear,
} from "../models/stored_linears.ts";
import { mutated } from "../models/tokenizers/tokenizer_mutate.ts";
import { collect } from "../quant/collect.ts";
import { mutate } from "../quant/mutations.ts";
import { randomBytes } from "../quant/random.ts";
import {
  awqWords,
  gptqWords,
  plainWeights,
  randomMatrix,
  scaleBits,
} from "../quant/transposed_writer.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { watchAllocations } from "../support/allocations.ts";
import { randomLlama, randomNumbers } from "../support/random_llama.ts";
import { allCases, sampledNumbers } from "../support/sampled.ts";

/** Damaged files by reader: the first two are read in memory, the others through their folders. */
const RUNS = { gguf: 2000, safetensors: 1000, split: 200, adapter: 200, folder: 150 };
/** Of the damaged files of a reader, and of all of them. */
const SHARE = 0.4;
const LEAST_FILES = 5000 * (allCases ? 1 : SHARE);
const MOST_SECONDS = 60;

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
  "hqq along axis 0": [{ quant_method: "hqq" }, hqqLinear("4bit_u8", 8, { axis: 0 })],
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
  "aqlm 2x10 of 16": [
    { quant_method: "aqlm", num_codebooks: 2, nbits_per_codebook: 10, in_group_size: 16 },
    aqlmLinear(2, { bits: 10, vector: 16 }),
  ],
  "torchao int4 in rows": [{ quant_method: "torchao" }, torchaoInt4Linear("rows", 32)],
  "torchao int4 in tiles": [{ quant_method: "torchao" }, torchaoInt4Linear("tiles", 64)],
  torchao: [{ quant_method: "torchao" }, torchaoLinear(32, false)],
  bitsandbytes: [
    { quant_method: "bitsandbytes", load_in_4bit: true },
    bitsandbytesLinear("nf4", 32, { nested: true }),
  ],
};

async function stored(tensors: readonly SafetensorsTensorData[]): Promise<Uint8Array<ArrayBuffer>> {
  return await collect(writeSafetensors(tensors));
}

/** What has been tried: per reader how many files loaded, and how many did not. */
class Tally {
  readonly counts = new Map<string, { loaded: number; refused: number }>();
  readonly #watch = watchAllocations();

  /** Files in all. */
  get files(): number {
    return [...this.counts.values()].reduce(
      (sum, { loaded, refused }) => sum + loaded + refused,
      0,
    );
  }

  /** Loads a file of `size` bytes and decodes what `load` yields; an answer, or an error that says what of which file. */
  async attempt(
    reader: string,
    what: string,
    size: number,
    load: () => AsyncIterable<PackedTensor>,
  ): Promise<boolean> {
    const count = this.counts.get(reader) ?? { loaded: 0, refused: 0 };
    this.counts.set(reader, count);
    const begun = process.cpuUsage();
    let planes = 0;
    try {
      this.#watch.reset();
      for await (const packed of load()) {
        // Reading, not decoding to f32, is what must not grow.
        const largest = this.#watch.largest;
        for (const plane of [packed.codes, packed.scales, packed.codebook]) {
          planes += planeBytes(plane).length;
        }
        assertEquals(decode(packed).length, packed.rows * packed.columns);
        this.#watch.reset();
        assert(largest <= 2 * size + SMALL, `${reader}, ${what}: ${largest} bytes of ${size}`);
      }
      count.loaded++;
      assert(
        planes <= 2 * size + SMALL,
        `${reader}, ${what}: planes of ${planes} bytes of ${size}`,
      );
      return true;
    } catch (error) {
      count.refused++;
      const typed = error instanceof SyntaxError || error instanceof RangeError ||
        error instanceof TypeError;
      assert(typed, `${reader}, ${what}: ${error instanceof Error ? error.stack : error}`);
      assert(
        /^Cannot .*"[^"]+"|^damaged\./s.test(error.message),
        `${reader}, ${what}: ${error.stack}`,
      );
      const { largest } = this.#watch;
      assert(largest <= 2 * size + SMALL, `${reader}, ${what}: ${largest} bytes of ${size}`);
      return false;
    } finally {
      const { user, system } = process.cpuUsage(begun);
      assert(user + system < 1e6, `${reader}, ${what}: ${(user + system) / 1e6} s of CPU`);
    }
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

/** Buffers that readers take whatever the file: pieces of headers, tables. */
const SMALL = 2 ** 16;

async function* tensorsOf(source: ModelSource): AsyncGenerator<PackedTensor> {
  for (const tensor of source.tensors.values()) yield await tensor.read(0, tensor.rows);
}

async function* opened(path: string): AsyncGenerator<PackedTensor> {
  using source = await openModelSource(path);
  yield* tensorsOf(source);
}

const headerOf = (bytes: Uint8Array<ArrayBuffer>): number =>
  8 + new DataView(bytes.buffer).getUint32(0, true);

/** GGUF with a tensor of every type, in memory. */
async function tryGguf(tally: Tally): Promise<void> {
  const bytes = await collect(writeGguf({
    metadata: {
      "general.architecture": "llama",
      "general.alignment": 64,
      "llama.block_count": 2,
      "llama.eps": 1e-5,
      "tokenizer.ggml.tokens": ["<s>", "a", "bc", "ä"],
      "tokenizer.ggml.scores": new Float32Array(4),
      "flags": [true, false],
      "long": 2n ** 63n,
    },
    tensors: FORMATS.filter(({ gguf }) => gguf).map(({ name, gguf, rowBytes }) => ({
      name: `blk.0.${name}.weight`,
      dimensions: [256, 2],
      type: gguf!.type,
      bytes: randomBytes(gguf!.type, 2 * rowBytes(256)),
    })),
    alignment: 64,
  }));
  const { dataOffset } = await readGguf(bytesSource(bytes));
  async function* load(damaged: Uint8Array<ArrayBuffer>): AsyncGenerator<PackedTensor> {
    const source = bytesSource(damaged, "damaged.gguf");
    for (const tensor of (await readGguf(source)).tensors) {
      const [columns, ...rest] = tensor.dimensions;
      const rows = rest.reduce((product, dimension) => product * dimension, 1);
      const piece = await source.read(tensor.offset, tensor.byteLength);
      const packed = formatByGgufType(tensor.type)?.unpack(piece, rows, columns);
      if (packed) yield packed;
    }
  }
  assert(await tally.attempt("gguf", "undamaged", bytes.length, () => load(bytes)));
  for (const seed of sampledNumbers("gguf", RUNS.gguf, SHARE)) {
    const damaged = mutate(bytes, dataOffset, seed);
    await tally.attempt("gguf", `seed ${seed}`, bytes.length, () => load(damaged));
  }
}

/** Safetensors as such, in memory. */
async function trySafetensors(tally: Tally): Promise<void> {
  const bytes = await collect(writeSafetensors([
    { name: "model.embed.weight", dtype: "F16", shape: [4, 8], bytes: randomBytes(1, 64) },
    { name: "model.norm.weight", dtype: "F32", shape: [8], bytes: randomBytes(2, 32) },
    { name: "q.codes", dtype: "U32", shape: [2, 4], bytes: randomBytes(3, 32) },
    { name: "q.scales", dtype: "F16", shape: [2, 1], bytes: randomBytes(4, 4) },
  ], { format: "pt" }));
  async function* load(damaged: Uint8Array<ArrayBuffer>): AsyncGenerator<PackedTensor> {
    const source = bytesSource(damaged, "damaged.safetensors");
    for (const { offset, byteLength } of (await readSafetensors(source)).tensors.values()) {
      assert(offset + byteLength <= damaged.length);
      await source.read(offset, byteLength);
    }
    yield* [];
  }
  assert(await tally.attempt("safetensors", "undamaged", bytes.length, () => load(bytes)));
  for (const seed of sampledNumbers("safetensors", RUNS.safetensors, SHARE)) {
    const damaged = mutate(bytes, headerOf(bytes), seed);
    await tally.attempt("safetensors", `seed ${seed}`, bytes.length, () => load(damaged));
  }
}

/** A folder with the given tensors and settings: damage to the header, to any byte (settings lie in tensors, too), to the settings. */
async function tryFolder(
  tally: Tally,
  name: string,
  settings: unknown,
  weights: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const config = huggingFaceConfig(shape, false);
  await withTemp(async (folder) => {
    const write = async (bytes: Uint8Array, quantization_config: unknown): Promise<number> => {
      await Deno.writeFile(join(folder, "model.safetensors"), bytes);
      const json = JSON.stringify({ ...config, quantization_config });
      await Deno.writeTextFile(join(folder, "config.json"), json);
      return bytes.length + json.length;
    };
    const size = await write(weights, settings);
    assert(await tally.attempt(name, "undamaged", size, () => opened(folder)));
    for (const seed of sampledNumbers(name, RUNS.folder, SHARE)) {
      const written = seed % 3 === 2
        ? await write(weights, mutated(settings, randomNumbers(seed)))
        : await write(
          mutate(weights, seed % 3 === 0 ? headerOf(weights) : weights.length, seed),
          settings,
        );
      await tally.attempt(name, `seed ${seed}`, Math.max(size, written), () => opened(folder));
    }
  });
}

/** A model in two GGUF files. */
async function trySplit(tally: Tally): Promise<void> {
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
    const load = () => opened(paths[0]);
    assert(await tally.attempt("split gguf", "undamaged", bytes.length, load));
    for (const seed of sampledNumbers("split", RUNS.split, SHARE)) {
      const hit = seed % 2;
      await Deno.writeFile(paths[hit], mutate(parts[hit], headers[hit], seed >> 1));
      await Deno.writeFile(paths[1 - hit], parts[1 - hit]);
      await tally.attempt("split gguf", `seed ${seed}`, bytes.length, load);
    }
  });
}

/** An adapter over a folder in an own format, and the folder itself. */
async function tryOwnFiles(tally: Tally): Promise<void> {
  await withTemp(async (out) => {
    const dense = join(out, "dense");
    await Deno.mkdir(dense);
    const linear = hqqLinear("4bit_u8", 32);
    await writeFolder(dense, shape, quantisedTensors(shape, linear, /./).tensors, {});
    const own = join(out, "own");
    {
      using source = await openModelSource(dense);
      await writeModel(quantizedSource(source, { format: "int4z_g32" }), own);
    }
    const weights = await Deno.readFile(join(own, "model.safetensors"));
    const { quantization_config } = JSON.parse(await Deno.readTextFile(join(own, "config.json")));
    await tryFolder(tally, "own folder", quantization_config, weights);

    using base = await openModelSource(own);
    const path = join(out, "adapter.safetensors");
    await writeAdapter(base, randomOffsets(base), path);
    const adapter = await Deno.readFile(path);
    async function* load(): AsyncGenerator<PackedTensor> {
      using source = await adaptedSource(base, path);
      yield* tensorsOf(source);
    }
    assert(await tally.attempt("adapter", "undamaged", weights.length, load));
    for (const seed of sampledNumbers("adapter", RUNS.adapter, SHARE)) {
      const reach = seed % 2 === 0 ? headerOf(adapter) : adapter.length;
      await Deno.writeFile(path, mutate(adapter, reach, seed));
      await tally.attempt("adapter", `seed ${seed}`, weights.length, load);
    }
  });
}

Deno.test(`${LEAST_FILES} damaged files and more over all readers give an answer or a typed error`, async (t) => {
  const begun = process.cpuUsage();
  using tally = new Tally();
  await t.step("GGUF with every type", () => tryGguf(tally));
  await t.step("safetensors", () => trySafetensors(tally));
  await t.step("split GGUF", () => trySplit(tally));
  for (const [name, [settings, linear]] of Object.entries(METHODS)) {
    await t.step(name, async () => {
      const weights = await stored(quantisedTensors(shape, linear).tensors);
      await tryFolder(tally, name, settings, weights);
    });
  }
  await t.step("own folders and adapters", () => tryOwnFiles(tally));
  const { user, system } = process.cpuUsage(begun);
  assert(tally.files >= LEAST_FILES, `${tally.files} files`);
  assertEquals(tally.counts.size, 5 + Object.keys(METHODS).length);
  for (const [reader, { loaded, refused }] of tally.counts) {
    assert(loaded > 5 && refused > 5, `${reader}: ${loaded} loaded, ${refused} refused`);
  }
  assert((user + system) / 1e6 < MOST_SECONDS, `${(user + system) / 1e6} s of CPU`);
});
