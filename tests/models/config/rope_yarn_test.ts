// YaRN and dynamic scaling of rotary positions: numbers, folders of both versions of transformers, GGUF, llama.cpp.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { fingerprint, loadModel, openModelSource, writeModel } from "../../../models/mod.ts";
import type { LlamaConfig } from "../../../models/architectures/llama.ts";
import { ropeFrequencies, ropeMagnitude, ropeTable } from "../../../models/rope_table.ts";
import { llamaLogits, type LlamaShape } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { llamaCppLogits, llamaCppMissing } from "../../support/llama_cpp.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { type Weights, writeFolder } from "../architectures/written_folder.ts";
import { withTemp } from "../quantised_folder.ts";
import { randomTokens, smallShape } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape: LlamaShape = { ...smallShape, rope: "neox", ropeBase: 5e3 };
const weights: Weights = randomLlama(shape);
const tokens = randomTokens(shape.vocabulary, 60, 4);

Deno.test("frequencies and magnitude of YaRN are those of the paper's formulas", () => {
  const scaling = { type: "yarn", factor: 4, originalContext: 32768 } as const;
  const found = { headDimension: 128, ropeTheta: 1e6, ropeScaling: scaling };
  const frequencies = ropeFrequencies(found);
  const plain = (i: number) => 1e6 ** (-2 * i / 128);
  assertAlmostEquals(frequencies[31] / 8.029597e-4, 1, 1e-6);
  assertAlmostEquals(frequencies[63] / 3.102344e-7, 1, 1e-6);
  assertAlmostEquals(frequencies[23], plain(23), 1e-12);
  assert(frequencies[24] < plain(24) * 0.999);
  assert(frequencies[39] > plain(39) / 4 * 1.001);
  assertAlmostEquals(frequencies[40] * 4, plain(40), 1e-12);
  assertAlmostEquals(ropeMagnitude(scaling), 1.138629, 1e-6);
  const table = ropeTable(found, 2);
  assertAlmostEquals(table[128], 1.138629 * Math.cos(1), 1e-6);
  assertAlmostEquals(table[129], 1.138629 * Math.sin(1), 1e-6);
});

/** Divisors of frequencies and what scores are multiplied by, from the paper and not from the library. */
function yarn({ factor, original, fast = 32, slow = 1, whole = true, magnitude }: {
  readonly factor: number;
  readonly original: number;
  readonly fast?: number;
  readonly slow?: number;
  readonly whole?: boolean;
  readonly magnitude?: number;
}): { readonly divisors: number[]; readonly louder: number } {
  const width = shape.hidden / shape.heads;
  // After as many positions as the context has, pair i has turned original * base^(-2i / width) / 2 pi times.
  const pair = (turns: number) =>
    Math.log(original / (turns * 2 * Math.PI)) / Math.log(shape.ropeBase) * width / 2;
  const low = Math.max(0, whole ? Math.floor(pair(fast)) : pair(fast));
  const high = Math.min(width - 1, whole ? Math.ceil(pair(slow)) : pair(slow));
  const divisors = Array.from({ length: width / 2 }, (_, i) => {
    const interpolated = Math.min(1, Math.max(0, (i - low) / (high - low)));
    return 1 / (interpolated / factor + 1 - interpolated);
  });
  return { divisors, louder: (magnitude ?? 0.1 * Math.log(factor) + 1) ** 2 };
}

function expected({ divisors, louder }: ReturnType<typeof yarn>): Float64Array {
  const scaled: Weights = { ...weights };
  for (const [name, matrix] of Object.entries(weights)) {
    if (name.includes("q_proj")) scaled[name] = matrix.map((it) => it * louder);
  }
  return llamaLogits({ ...shape, ropeFactors: divisors }, scaled, tokens);
}

const at = { max_position_embeddings: 64, rope_theta: shape.ropeBase };
const plain = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 64 };
const CASES: [string, object, ReturnType<typeof yarn>][] = [
  [
    "as Qwen's",
    { rope_scaling: { ...plain, rope_type: undefined, type: "yarn" } },
    yarn({
      factor: 4,
      original: 64,
    }),
  ],
  ["of transformers 5", {
    rope_theta: undefined,
    rope_parameters: { ...plain, rope_theta: shape.ropeBase },
  }, yarn({ factor: 4, original: 64 })],
  ["the context is the model's", {
    rope_scaling: { ...plain, original_max_position_embeddings: undefined },
  }, yarn({ factor: 4, original: 64 })],
  [
    "other turns",
    { rope_scaling: { ...plain, beta_fast: 8, beta_slow: 0.5 } },
    yarn({
      factor: 4,
      original: 64,
      fast: 8,
      slow: 0.5,
    }),
  ],
  [
    "a magnitude",
    { rope_scaling: { ...plain, attention_factor: 0.9 } },
    yarn({
      factor: 4,
      original: 64,
      magnitude: 0.9,
    }),
  ],
  [
    "two scales of the magnitude",
    {
      rope_scaling: { ...plain, mscale: 1, mscale_all_dim: 0.5 },
    },
    yarn({
      factor: 4,
      original: 64,
      magnitude: (0.1 * Math.log(4) + 1) / (0.05 * Math.log(4) + 1),
    }),
  ],
  [
    "between pairs",
    { rope_scaling: { ...plain, truncate: false } },
    yarn({
      factor: 4,
      original: 64,
      whole: false,
    }),
  ],
];

async function logitsAt(path: string): Promise<Float32Array> {
  using source = await openModelSource(path);
  using model = await loadModel(gpu, source);
  return await logitsOf(gpu, model, tokens);
}

const missing = await llamaCppMissing();
for (const [name, keys, wanted] of CASES) {
  Deno.test(
    `YaRN, ${name}: logits are the oracle's, and llama.cpp's of the file written from it; it is written as it was${
      missing ? ` (llama.cpp skipped: ${missing})` : ""
    }`,
    async () => {
      await withTemp(async (out) => {
        const [folder, file, back, own] = ["folder", "m.gguf", "back", "own"]
          .map((it) => join(out, it));
        await writeFolder(folder, shape, weights, { ...at, ...keys });
        using source = await openModelSource(folder);
        assertEquals([source.config.context, source.notes], [256, []]);
        const ours = await logitsAt(folder);
        const error = relativeL2(ours, expected(wanted));
        assert(error < 1e-5, `relative L2 of the logits is ${error}`);
        await writeModel({ ...source, folder: undefined }, own);
        using again = await openModelSource(own);
        assertEquals(again.config, source.config);
        // llama.cpp reads neither.
        const unknown = { "between pairs": "truncate false", "other turns": "beta_fast 8" }[name];
        if (unknown !== undefined) {
          await assertRejects(() => writeModel(source, file), RangeError, unknown);
          return;
        }
        await writeModel(source, file);
        assert(relativeL2(await logitsAt(file), ours) < 1e-6);
        await writeModel({ ...await openModelSource(file), folder: undefined }, back);
        assert(relativeL2(await logitsAt(back), ours) < 1e-6);
        if (missing) return;
        const theirs = await llamaCppLogits(file, tokens);
        const difference = relativeL2(ours, theirs.flatMap((row) => [...row]));
        assert(difference < 1e-5, `relative L2 to llama.cpp's logits is ${difference}`);
      });
    },
  );
}

Deno.test("dynamic scaling changes nothing up to the context, is written as it was, and is the base that it was for ledgers", async () => {
  await withTemp(async (out) => {
    const path = (name: string) => join(out, name);
    const rope_scaling = { type: "dynamic", factor: 2 };
    await writeFolder(path("plain"), shape, weights, at);
    await writeFolder(path("dynamic"), shape, weights, { ...at, rope_scaling });
    using source = await openModelSource(path("dynamic"));
    using other = await openModelSource(path("plain"));
    assertEquals(source.config.context, 64);
    assertEquals(await fingerprint(source), await fingerprint(other));
    assertEquals(await logitsAt(path("dynamic")), await logitsAt(path("plain")));
    // Beyond it each length has frequencies of its own: refused by name, not rotated as if nothing were scaled.
    await assertRejects(
      () => loadModel(gpu, source, { maxPositions: 65 }),
      RangeError,
      'rope_scaling "dynamic"',
    );
    using longer = await loadModel(gpu, other, { maxPositions: 65 });
    assertEquals(longer.maxPositions, 65);
    await writeModel({ ...source, folder: undefined }, path("own"));
    using own = await openModelSource(path("own"));
    assertEquals((own.config as LlamaConfig).ropeScaling, { type: "dynamic", factor: 2 });
    const json = JSON.parse(await Deno.readTextFile(path("own/config.json")));
    assertEquals(json.rope_scaling, { rope_type: "dynamic", factor: 2 });
  });
});
