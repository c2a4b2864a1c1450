/**
 * Damaged adapters of every kind that `--adapter` takes: an adapter, or an error of a type that says what of which file, within a second, without
 * much memory, and nothing written. 3,000 in all, of which a day tries a part (QZO_CASES=all: all); QZO_FUZZ_SEED says which they are, and is
 * printed when one fails.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { join } from "@std/path";
import process from "node:process";
import { adapterValues, fitAdapter } from "../../models/adapters/adapted.ts";
import { writeGgufAdapter } from "../../models/checkpoints/adapters/write_gguf_adapter.ts";
import {
  type Adapter,
  ia3Adapter,
  loraAdapter,
  type ModelSource,
  openAdapter,
  openModelSource,
  prefixAdapter,
  promptAdapter,
  writePeft,
} from "../../models/mod.ts";
import { type SafetensorsTensorData, writeSafetensors } from "../../quant/mod.ts";
import { writeRandomFolder } from "../models/random_folder.ts";
import { watchAllocations } from "../support/allocations.ts";
import { peakSinceReset, resetPeak } from "../support/peak_memory.ts";
import { randomNormals, randomNumbers } from "../support/random_llama.ts";
import { allCases, sampledNumbers } from "../support/sampled.ts";
import { peftBases } from "../support/vectors/peft_cases.ts";
import { damagedFile } from "./damage.ts";

const INPUTS = 500;
/** Of which so many are tried, others each day. */
const SHARE = allCases ? 1 : 0.1;
const SEED = Number(Deno.env.get("QZO_FUZZ_SEED") ?? 1);
const MOST_CPU = 1e6;
const MOST_BYTES = 256 * 2 ** 20;

/** What is damaged: the settings of a folder, and its tensors; or a file. */
interface Kind {
  readonly name: string;
  /** What is opened. */
  readonly path: string;
  /** Files that may be damaged, JSON ones as such. */
  readonly files: readonly string[];
}

/** An adapter with numbers in place of zeros. */
function filled(source: ModelSource, { start: _, ...adapter }: Adapter): Adapter {
  const numbers = randomNumbers(5);
  const values = new Map(
    [...fitAdapter(source.config, adapter).tensors].map(([name, { rows, columns }]) =>
      [name, randomNormals(rows * columns, 0.2, numbers)] as const
    ),
  );
  return { ...adapter, values };
}

/** Numbers in place of some of the base's. */
function someOf({ tensors }: ModelSource): Map<string, Float32Array<ArrayBuffer>> {
  const names = ["blk.0.attn_k.weight", "output.weight", "blk.1.ffn_norm.weight"];
  return new Map(names.map((name) => {
    const { rows, columns } = tensors.get(name)!;
    return [name, randomNormals(rows * columns, 0.2, randomNumbers(6))] as const;
  }));
}

async function writeMlx(folder: string): Promise<void> {
  await Deno.mkdir(folder);
  const tensor = (name: string, shape: readonly number[]): SafetensorsTensorData => ({
    ...{ name: `model.layers.0.self_attn.${name}`, dtype: "F32", shape },
    bytes: new Uint8Array(4 * shape[0] * shape[1]),
  });
  const tensors = [tensor("q_proj.lora_a", [64, 4]), tensor("q_proj.lora_b", [4, 64])];
  const stream = ReadableStream.from(writeSafetensors(tensors));
  await Deno.writeFile(join(folder, "adapters.safetensors"), stream);
  const lora_parameters = { rank: 4, scale: 2, dropout: 0 };
  const settings = { fine_tune_type: "lora", num_layers: 2, lora_parameters };
  await Deno.writeTextFile(join(folder, "adapter_config.json"), JSON.stringify(settings));
}

/** Sound adapters of every kind, in a folder. */
async function kindsIn(root: string, source: ModelSource): Promise<Kind[]> {
  const at = (name: string) => join(root, name);
  const about = { config: source.config, base: "2:abc", baseName: "base" };
  const lora = filled(
    source,
    loraAdapter(source, { rank: 2, alphaPattern: { v_proj: 3 }, targets: ["q_proj", "v_proj"] }),
  );
  const folders = {
    lora,
    "LoRA with tensors of the base": { ...lora, replaced: someOf(source) },
    ia3: filled(source, ia3Adapter(source)),
    prefix: filled(source, prefixAdapter(source, { tokens: 3 })),
    prompt: filled(source, promptAdapter(source, { tokens: 4 })),
  };
  for (const [name, adapter] of Object.entries(folders)) {
    await writePeft(at(name), { ...about, adapter });
  }
  await writeMlx(at("mlx"));
  await writeGgufAdapter(at("lora.gguf"), { ...about, adapter: lora });
  const settings = "adapter_config.json";
  return [
    ...Object.keys(folders).map((name) => ({
      name: `PEFT's ${name}`,
      path: at(name),
      files: [settings, "adapter_model.safetensors"].map((file) => join(at(name), file)),
    })),
    {
      name: "mlx-lm's LoRA",
      path: at("mlx"),
      files: [settings, "adapters.safetensors"].map((file) => join(at("mlx"), file)),
    },
    { name: "llama.cpp's LoRA", path: at("lora.gguf"), files: [at("lora.gguf")] },
    // Cut, padded and flipped elsewhere.
    { name: "llama.cpp's LoRA, header", path: at("lora.gguf"), files: [at("lora.gguf")] },
  ];
}

/** Names of what lies in a folder, folders within it too. */
async function listing(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    names.push(name);
    if (!isDirectory) continue;
    names.push(...(await listing(join(folder, name))).map((it) => `${name}/${it}`));
  }
  return names.sort();
}

Deno.test(`${8 * INPUTS * SHARE} damaged adapters: an adapter or a typed error, at once (seed ${SEED})`, async (t) => {
  const root = await Deno.makeTempDir();
  using watch = watchAllocations();
  try {
    await Deno.mkdir(join(root, "base"));
    await writeRandomFolder(join(root, "base"), peftBases.llama);
    using source = await openModelSource(join(root, "base"));
    const kinds = await kindsIn(root, source);
    const before = await listing(root);
    for (const [place, { name, path, files }] of kinds.entries()) {
      const inputs = sampledNumbers(`adapters ${name}`, INPUTS, SHARE);
      await t.step(`${name}: ${inputs.length}`, async () => {
        const sound = new Map<string, Uint8Array<ArrayBuffer>>();
        for (const file of files) sound.set(file, await Deno.readFile(file));
        const counts = { opened: 0, refused: 0 };
        const open = async () => {
          const { adapter } = await openAdapter(path, source);
          const fitted = fitAdapter(source.config, adapter);
          for (const tensor of fitted.tensors.values()) adapterValues(adapter, tensor);
        };
        await open();
        resetPeak();
        const idle = peakSinceReset();
        for (const i of inputs) {
          const seed = (SEED * 6 + place) * INPUTS + i;
          const file = files[i % files.length];
          const about = `${name}, input ${i} (QZO_FUZZ_SEED=${SEED})`;
          // Which file is damaged goes by the lowest bit, how by the others.
          await Deno.writeFile(file, damagedFile(file, sound.get(file)!, seed >> 1));
          watch.reset();
          const begun = process.cpuUsage();
          try {
            await open();
            counts.opened++;
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
          await Deno.writeFile(file, sound.get(file)!);
        }
        assertLess(peakSinceReset() - idle, MOST_BYTES, name);
        assert(counts.refused > 0, JSON.stringify(counts));
        await open();
      });
    }
    assertEquals(await listing(root), before, "files that no one asked for");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
