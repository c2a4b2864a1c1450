/**
 * Damaged models of every architecture, as folders, as quantised folders and as GGUF files: cut, random, or with headers and settings that lie. A model
 * that computes, or an error of a type that says what of which file; within a second, and without the memory that a header claims. 500 of each, of
 * which a day tries a part (QZO_CASES=all: all).
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { basename, join } from "@std/path";
import process from "node:process";
import { openGpu } from "../../kernels/mod.ts";
import { loadModel, openModelSource, writeModel } from "../../models/mod.ts";
import { architectureOf } from "../../models/architectures.ts";
import { bytesSource, readGguf } from "../../quant/mod.ts";
import { writeTokenizer } from "../models/architectures/written_folder.ts";
import { bitsandbytes, type Settings } from "../models/quantised_folder_cases.ts";
import { type RandomFolderOptions, writeRandomFolder } from "../models/random_folder.ts";
import { SMALL_CONFIGS } from "../models/small_configs.ts";
import { bitsandbytesLinear } from "../models/stored_linears.ts";
import { transposedLinear } from "../models/stored_transposed.ts";
import { random } from "../models/tokenizers/tokenizer_mutate.ts";
import { seeded } from "../quant/random.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { watchAllocations } from "../support/allocations.ts";
import { logitsOf } from "../support/model_logits.ts";
import { allCases, sampledNumbers } from "../support/sampled.ts";
import { damagedFile } from "./damage.ts";

const INPUTS = 500;
/** Of which so many are tried, others each day. */
const SHARE = allCases ? 1 : 0.04;
const MOST_CPU = 1e6;
/** Many times what a model of these takes. */
const MOST_BYTES = 16 * 2 ** 20;

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

type Bytes = Uint8Array<ArrayBuffer>;

/** What is damaged: files of a folder, or one file. */
interface Kind {
  readonly name: string;
  /** What is opened. */
  readonly path: string;
  readonly files: readonly string[];
  /** Keys that its settings may have. */
  readonly keys: readonly string[];
}

const LIES: readonly unknown[] = [
  ...[0, 1, 2, 3, 0.5, -1, 63, 65, 1000, 1e6, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, 1e300],
  ...[null, true, false, "", "x", "64", [], {}, [0], [1e9], [null], { a: 1 }],
];

/** Settings that say something else: of keys that the architecture knows, sizes more often than not. */
function withLies(bytes: Bytes, keys: readonly string[], seed: number): Bytes {
  const next = random(seed);
  const draw = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)];
  const config: Record<string, unknown> = JSON.parse(new TextDecoder().decode(bytes));
  const sizes = Object.keys(config).filter((key) => typeof config[key] === "number");
  for (let i = 0; i <= next() * 2; i++) {
    config[draw(next() < 0.7 ? sizes : keys)] = draw(LIES);
  }
  return new TextEncoder().encode(JSON.stringify(config));
}

/** One of the files, and what becomes of it. */
function damage({ files, keys }: Kind, sound: ReadonlyMap<string, Bytes>, seed: number) {
  const file = files[seed % files.length];
  const bytes = sound.get(file)!;
  const how = Math.floor(seed / files.length);
  if (how % 8 === 0) {
    // Nothing of it is what it was.
    const next = seeded(seed);
    return {
      file,
      bytes: bytes.slice(0, how % 16 === 0 ? 200 : undefined).map(() => next() * 256),
    };
  }
  if (file.endsWith(".json") && how % 2 === 1) return { file, bytes: withLies(bytes, keys, seed) };
  return { file, bytes: damagedFile(file, bytes, how, headerOf(file, bytes)) };
}

/** How many of the first bytes tell about the others. */
function headerOf(file: string, bytes: Bytes): number {
  if (file.endsWith(".gguf")) return ggufHeader.get(file)!;
  return 8 + new DataView(bytes.buffer).getUint32(0, true);
}

const ggufHeader = new Map<string, number>();

const shape: LlamaShape = {
  ...{ hidden: 64, layers: 2, feedForward: 96, heads: 4, kvHeads: 2, vocabulary: 272 },
  ...{ epsilon: 1e-5, ropeBase: 1e4, rope: "neox" },
};

/** Sound models of an architecture, in every kind of file. */
async function kindsOf(modelType: string, root: string): Promise<Kind[]> {
  // Which layers slide is written as GGUF as llama.cpp has it.
  const config = modelType === "gemma3_text"
    ? { ...SMALL_CONFIGS[modelType], layer_types: Array(2).fill("sliding_attention") }
    : SMALL_CONFIGS[modelType];
  const isEncoder = /bert/.test(modelType);
  const quantised: { settings: Settings; linear: RandomFolderOptions["linear"] } = isEncoder
    ? { settings: bitsandbytes, linear: bitsandbytesLinear("nf4", 32) }
    : {
      settings: { quant_method: "gptq", bits: 4, group_size: 32, desc_act: false, sym: false },
      linear: transposedLinear("gptq"),
    };
  const folder = async (name: string, more: object, options: RandomFolderOptions = {}) => {
    const path = join(root, name);
    await Deno.mkdir(path);
    await writeRandomFolder(path, { ...config, ...more }, options);
    await writeTokenizer(path, shape);
    return path;
  };
  const dense = await folder("dense", {});
  const packed = await folder("quantised", { quantization_config: quantised.settings }, quantised);
  using source = await openModelSource(dense);
  const { huggingFace, gguf } = architectureOf(source.config);
  const keys = Object.keys(huggingFace.keys);
  const kinds = [dense, packed].map((path): Kind => ({
    name: `${basename(path)} folder`,
    path,
    files: ["config.json", "model.safetensors"].map((file) => join(path, file)),
    keys,
  }));
  if (!gguf) return kinds;
  const file = join(root, "model.gguf");
  await writeModel(source, file);
  ggufHeader.set(file, (await readGguf(bytesSource(await Deno.readFile(file)))).dataOffset);
  return [...kinds, { name: "GGUF file", path: file, files: [file], keys: [] }];
}

/** Opens and loads as a user's command would, and computes where `computes`. */
async function use(path: string, computes: boolean): Promise<void> {
  using source = await openModelSource(path);
  using model = await loadModel(gpu, source);
  if (computes) await logitsOf(gpu, model, [3, 141, 59, 26, 5]);
}

for (const modelType of Object.keys(SMALL_CONFIGS)) {
  // The same architecture and keys by other names.
  if (modelType === "xlm-roberta" || modelType === "camembert") continue;
  Deno.test(`${INPUTS * SHARE} damaged files of each kind of ${modelType}: a model or a typed error, at once`, async () => {
    const root = await Deno.makeTempDir();
    using watch = watchAllocations();
    try {
      for (const kind of await kindsOf(modelType, root)) {
        const sound = new Map<string, Bytes>();
        for (const file of kind.files) sound.set(file, await Deno.readFile(file));
        await use(kind.path, true);
        const counts = { works: 0, refused: 0 };
        for (const i of sampledNumbers(`${modelType} ${kind.name}`, INPUTS, SHARE)) {
          const about = `${modelType}, ${kind.name}, input ${i}`;
          const { file, bytes } = damage(kind, sound, i);
          await Deno.writeFile(file, bytes);
          watch.reset();
          const begun = process.cpuUsage();
          try {
            await use(kind.path, i % 16 < 2);
            counts.works++;
          } catch (error) {
            counts.refused++;
            const typed = error instanceof SyntaxError || error instanceof RangeError ||
              error instanceof TypeError;
            const says = error instanceof Error && error.message.startsWith("Cannot ") &&
              error.message.length < 2000;
            assert(typed && says, `${about}: ${error instanceof Error ? error.stack : error}`);
          }
          const { user, system } = process.cpuUsage(begun);
          assertLess(user + system, MOST_CPU, about);
          assertLess(watch.largest, MOST_BYTES, about);
          assertEquals(gpu.memory.total, 0, `${about}: bytes that were not freed`);
          assertLess(gpu.memory.peakTotal, MOST_BYTES, about);
          await Deno.writeFile(file, sound.get(file)!);
        }
        assert(counts.refused > 0, JSON.stringify(counts));
        if (allCases) assert(counts.works > 20, `${kind.name}: ${JSON.stringify(counts)}`);
        await use(kind.path, true);
      }
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  });
}
