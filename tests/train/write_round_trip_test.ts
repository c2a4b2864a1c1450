/**
 * What is written is the model that was read: every kind of source to every kind of target has the loss that the source has, and llama.cpp
 * finds the same in GGUF files.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  assertWritable,
  calibratedStream,
  loadModel,
  type ModelSource,
  openModelSource,
  quantizedSource,
  ropeFactorsOf,
  targetKind,
  writeModel,
} from "../../models/mod.ts";
import type { LlamaConfig } from "../../models/architectures/llama.ts";
import { QUANTIZE_METHODS } from "../../models/inference/calibration/methods.ts";
import { evaluate, exportTuned } from "../../train/mod.ts";
import { withTemp } from "../models/quantised_folder.ts";
import { compressedLinear } from "../models/stored_linears.ts";
import { targetLogProbabilities } from "../reference/softmax_nll.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { llamaCppLogits, llamaCppMissing } from "../support/llama_cpp.ts";
import {
  kindShape,
  llama3,
  llama3Factors,
  tokensOf,
  writeKindFolder,
  writeKindGguf,
} from "../support/model_kinds.ts";
import { randomNumbers } from "../support/random_llama.ts";
import type { StoredTensor } from "../support/safetensors_writer.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const missing = await llamaCppMissing();

const random = randomNumbers(17);
const tokens = Array.from({ length: 40 }, () => Math.floor(random() * kindShape.vocabulary));

async function lossOf(source: ModelSource): Promise<number> {
  using model = await loadModel(gpu, source);
  const examples = [{ prompt: [], candidates: [tokens], label: 0 }];
  return (await evaluate(model, examples, { objective: "language-modelling" })).loss;
}

async function llamaCppLoss(path: string): Promise<number> {
  const logits = await llamaCppLogits(path, tokens.slice(0, -1));
  const sum = logits.reduce(
    (sum, row, i) => sum - targetLogProbabilities(row, row.length, [tokens[i + 1]])[0],
    0,
  );
  return sum / logits.length;
}

/** Writes a source into a folder and says where. */
interface Kind {
  readonly make: (folder: string) => Promise<string>;
  /** What writing it as one kind of file is refused with, before anything is written. */
  readonly refused?: Partial<Record<"gguf" | "folder", string>>;
  /** Not to be quantised on the way. */
  readonly quantised?: boolean;
}

const folder = (options: Parameters<typeof writeKindFolder>[1] = {}): Kind => ({
  make: (at) => writeKindFolder(join(at, "source"), options),
});
const gguf = (options: Parameters<typeof writeKindGguf>[1] = {}, name = "source.gguf"): Kind => ({
  make: (at) => writeKindGguf(join(at, name), options),
});
/** Quantised by this library into a folder of its own. */
const own = (format: string, embedding: string): Kind => ({
  quantised: true,
  make: async (at) => {
    using source = await openModelSource(await writeKindFolder(join(at, "dense")));
    const path = join(at, "source");
    await writeModel(quantizedSource(source, { format, embedding }), path);
    return path;
  },
});

const backwards = (n: number): number[] => Array.from({ length: n }, (_, i) => n - 1 - i);
const f32 = (value: number) => ({ kind: "f32", value }) as const;
const text = (value: string) => ({ kind: "string", value }) as const;

const KINDS: Record<string, Kind> = {
  "folder, F32": folder(),
  "folder, F16, tied head": folder({ dtype: "F16", tied: true }),
  "folder, BF16": folder({ dtype: "BF16" }),
  "folder, rotary scaling of llama3": folder({ config: { rope_scaling: llama3 } }),
  "folder, linear scaling": folder({ config: { rope_scaling: { type: "linear", factor: 4 } } }),
  "own folder, int4_g32": {
    ...own("int4_g32", "F16"),
    refused: { gguf: "the format int4_g32 is not one of GGUF's" },
  },
  "own folder, Q4_0 and Q8_0": own("Q4_0", "Q8_0"),
  "compressed-tensors, columns reordered": {
    quantised: true,
    refused: { gguf: "its columns are in an order of their own" },
    ...folder({
      config: {
        quantization_config: {
          quant_method: "compressed-tensors",
          format: "pack-quantized",
          config_groups: {
            group_0: {
              targets: ["Linear"],
              weights: { type: "int", num_bits: 4, group_size: 32, symmetric: true },
            },
          },
        },
      },
      change: (tensors) => {
        const planes: Record<string, StoredTensor> = {};
        for (const [name, tensor] of Object.entries(tensors)) {
          if (!name.includes("_proj")) planes[name] = tensor;
          else {
            const module = name.replace(/\.weight$/, "");
            const [rows, columns] = tensor.shape;
            const linear = compressedLinear(4, 32, true, { place: backwards });
            for (const { name, dtype, shape, bytes } of linear(module, rows, columns, 1).tensors) {
              planes[name] = { dtype, shape, bytes: bytes as Uint8Array };
            }
          }
        }
        return planes;
      },
    }),
  },
  "GGUF": gguf(),
  "GGUF, tied head": gguf({ tied: true }),
  "GGUF, factors of llama3": gguf({ factors: llama3Factors() }),
  "GGUF, factors of no scaling": {
    ...gguf({ factors: Float32Array.of(1, 1.5, 1.25, 2, 3, 4, 3.5, 8) }),
    refused: { folder: "are not those of a llama3 or linear rope_scaling" },
  },
  "GGUF, the same factor everywhere": gguf({ factors: new Float32Array(8).fill(2) }),
  "GGUF, linear scaling": gguf({
    metadata: { "llama.rope.scaling.type": text("linear"), "llama.rope.scaling.factor": f32(4) },
  }),
  "GGUF, linear scaling and a factor everywhere": gguf({
    factors: new Float32Array(8).fill(2),
    metadata: { "llama.rope.scaling.type": text("linear"), "llama.rope.scaling.factor": f32(2) },
  }),
  "GGUF in two files, factors of llama3": gguf(
    { factors: llama3Factors() },
    "source-00001-of-00002.gguf",
  ),
  "GGUF, fewer tokens than rows": gguf({ metadata: tokensOf(268) }),
  "GGUF, more tokens than rows": gguf({ metadata: tokensOf(275) }),
};

for (const [name, { make, refused, quantised }] of Object.entries(KINDS)) {
  Deno.test(`${name}: what is written is what was read`, async () => {
    await withTemp(async (at) => {
      using read = await openModelSource(await make(at));
      const forms: Record<string, ModelSource> = {
        "as it is": read,
        ...quantised ? {} : { "in Q4_0": quantizedSource(read, { format: "Q4_0" }) },
      };
      for (const [form, source] of Object.entries(forms)) {
        const loss = await lossOf(source);
        for (const target of ["written.gguf", "written.GGUF", "folder"]) {
          const path = join(at, `${form} ${target}`);
          const kind = targetKind(path) as "gguf" | "folder";
          if (refused?.[kind]) {
            await assertRejects(() => assertWritable(source, path), RangeError, refused[kind]);
            await assertRejects(() => writeModel(source, path), RangeError, refused[kind]);
            await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
            continue;
          }
          // Any ending in capitals is the same file.
          if (target === "written.GGUF" && form !== "as it is") continue;
          await assertWritable(source, path);
          await writeModel(source, path);
          using again = await openModelSource(path);
          assertAlmostEquals(await lossOf(again), loss, 2e-6 * loss, `${form}, ${target}`);
          assert(again.tokenizer !== undefined);
          assertEquals(again.tokenizer.encode("t260 a"), read.tokenizer!.encode("t260 a"));
        }
      }
    });
  });

  if (refused?.gguf) continue;
  Deno.test({
    name: `${name}: llama.cpp finds our loss in the GGUF file written from it`,
    fn: async () => {
      if (missing) return console.log(`skipped, because ${missing}`);
      await withTemp(async (at) => {
        using read = await openModelSource(await make(at));
        // llama.cpp rounds activations to 8 bits where weights are quantised.
        const source = quantised
          ? read
          : quantizedSource(read, { format: "F32", embedding: "F32" });
        const path = join(at, "written.gguf");
        await writeModel(source, path);
        const loss = await lossOf(read);
        assertAlmostEquals(await llamaCppLoss(path), loss, (quantised ? 2e-2 : 2e-5) * loss);
      });
    },
  });
}

Deno.test("factors of rotary frequencies survive every method, folding, and merging", async () => {
  await withTemp(async (at) => {
    const factors = llama3Factors();
    using whole = await openModelSource(await writeKindGguf(join(at, "whole.gguf"), { factors }));
    using split = await openModelSource(
      await writeKindGguf(join(at, "split-00001-of-00002.gguf"), { factors }),
    );
    const check = async (path: string) => {
      using again = await openModelSource(path);
      assertEquals(again.ropeFactors, factors, path);
    };
    const windows = [{ prompt: [], candidates: [tokens], label: 0 }];
    for (const { name: method } of QUANTIZE_METHODS) {
      const format = method === "codebook" ? "codebook1x8" : "Q4_0";
      const path = join(at, method === "codebook" ? method : `${method}.gguf`);
      await using stream = calibratedStream(gpu, whole, windows, { method, format });
      await writeModel(stream, path);
      if (method !== "codebook") await check(path);
      else {
        using again = await openModelSource(path);
        assertEquals(ropeFactorsOf(again.config as LlamaConfig), factors, path);
      }
    }
    const sources = { whole, split, quantised: quantizedSource(whole, { format: "Q4_0" }) };
    for (const [name, source] of Object.entries(sources)) {
      const path = join(at, `${name}-tuned.gguf`);
      await exportTuned(source, new Map(), path);
      await check(path);
    }
  });
});

Deno.test("a chat template in a file of its own goes wherever the model goes", async () => {
  await withTemp(async (at) => {
    const template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}";
    const source = await writeKindFolder(join(at, "source"));
    await Deno.writeTextFile(join(source, "chat_template.jinja"), template);
    using read = await openModelSource(source);
    using opened = new DisposableStack();
    const write = async (from: ModelSource, name: string) => {
      await writeModel(from, join(at, name));
      const again = opened.use(await openModelSource(join(at, name)));
      assertEquals(again.tokenizer!.chatTemplate, template, name);
      return again;
    };
    // From a folder into a file, from that into a folder, from that into a file; and into a folder at once.
    const first = await write(quantizedSource(read, { format: "Q8_0" }), "first.gguf");
    await write(await write(first, "second"), "third.gguf");
    await write(quantizedSource(read, { format: "int8_g32" }), "fourth");
    assertEquals(await Deno.readTextFile(join(at, "fourth", "chat_template.jinja")), template);
  });
});
