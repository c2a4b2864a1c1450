import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { loadModel, type ModelSource, openModelSource, writeModel } from "../../../models/mod.ts";
import type { Phi3Config } from "../../../models/architectures/phi3.ts";
import { llamaLogits, type LlamaShape } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { llamaCppLogits, llamaCppMissing } from "../../support/llama_cpp.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { withTemp } from "../quantised_folder.ts";
import { type Weights, writeFolder } from "./written_folder.ts";
import { randomTokens, smallShape, withFolder } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape: LlamaShape = { ...smallShape, rope: "neox" };
const tokens = randomTokens(shape.vocabulary, 23, 4);
const pairs = shape.hidden / shape.heads / 2;
const plain: Weights = randomLlama(shape);

/** The same model as Phi-3 has it: matrices that multiply the same are one. */
function fused(weights: Weights): Weights {
  const result = { ...weights };
  const join = (at: string, parts: readonly string[], whole: string) => {
    const rows = parts.flatMap((part) => [...weights[`${at}.${part}.weight`]]);
    for (const part of parts) delete result[`${at}.${part}.weight`];
    result[`${at}.${whole}.weight`] = Float32Array.from(rows);
  };
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `model.layers.${layer}`;
    join(`${at}.self_attn`, ["q_proj", "k_proj", "v_proj"], "qkv_proj");
    join(`${at}.mlp`, ["gate_proj", "up_proj"], "gate_up_proj");
  }
  return result;
}

const writePhi3 = (folder: string, keys: object = {}) =>
  writeFolder(folder, shape, fused(plain), { model_type: "phi3", ...keys });

async function logitsAt(path: string): Promise<Float32Array> {
  using source = await openModelSource(path);
  using model = await loadModel(gpu, source);
  return await logitsOf(gpu, model, tokens);
}

Deno.test("a Llama model whose matrices are joined is Phi-3, to the bit", async () => {
  await withTemp(async (out) => {
    await writePhi3(out);
    await withFolder(shape, plain, async (llama) => {
      const [ours, same] = [await logitsAt(out), await logitsAt(llama)];
      assertEquals(ours, same);
      const error = relativeL2(ours, llamaLogits(shape, plain, tokens));
      assert(error < 1e-5, `relative L2 of the logits is ${error}`);
    });
  });
});

const missing = await llamaCppMissing();
Deno.test(
  "llama.cpp's logits of the file written from a Phi-3 folder are ours, and it becomes the folder again" +
    (missing ? ` (skipped: ${missing})` : ""),
  { ignore: missing !== undefined },
  async () => {
    await withTemp(async (out) => {
      const [folder, file, back] = ["folder", "model.gguf", "back"].map((name) => join(out, name));
      await writePhi3(folder);
      const ours = await logitsAt(folder);
      using source = await openModelSource(folder);
      await writeModel(source, file);
      assertEquals(await logitsAt(file), ours);
      const theirs = await llamaCppLogits(file, tokens);
      const difference = relativeL2(ours, theirs.flatMap((row) => [...row]));
      assert(difference < 1e-5, `relative L2 to llama.cpp's logits is ${difference}`);
      using converted = await openModelSource(file);
      await writeModel(converted, back);
      assertEquals(await logitsAt(back), ours);
    });
  },
);

const short = Array.from({ length: pairs }, (_, i) => 1 + i / 8);
const longrope = (keys: object = {}) => ({
  max_position_embeddings: 4096,
  original_max_position_embeddings: 128,
  rope_scaling: {
    type: "longrope",
    short_factor: short,
    long_factor: short.map((x) => 4 * x),
    ...keys,
  },
});

Deno.test("longrope: short factors and the magnitude that follows from the lengths, up to the original context", async () => {
  await withTemp(async (out) => {
    // Cosines and sines of queries and of keys are multiplied, so the scores are by the square: as rows of q multiplied by it.
    const magnitude = Math.sqrt(1 + Math.log(32) / Math.log(128));
    const louder: Weights = { ...plain };
    for (const [name, matrix] of Object.entries(plain)) {
      if (name.includes("q_proj")) louder[name] = matrix.map((x) => x * magnitude ** 2);
    }
    const expected = llamaLogits({ ...shape, ropeFactors: short }, louder, tokens);
    const written = longrope();
    for (
      const keys of [
        written,
        { ...written, rope_scaling: { ...written.rope_scaling, type: "su" } },
        { ...longrope({ attention_factor: magnitude }), max_position_embeddings: 1024 },
        { ...longrope({ factor: 32 }), max_position_embeddings: 1024 },
      ]
    ) {
      const folder = join(out, "folder");
      await writePhi3(folder, keys);
      using source = await openModelSource(folder);
      assertEquals(source.config.context, 128);
      assert(source.notes?.some((note) => note.includes("limited to 128")), `${source.notes}`);
      const error = relativeL2(await logitsAt(folder), expected);
      assert(error < 1e-5, `relative L2 of the logits is ${error}`);
      const back = join(out, "back");
      await writeModel(source, back);
      using again = await openModelSource(back);
      assertEquals(again.config, source.config);
      await Deno.remove(back, { recursive: true });
      const file = join(out, "m.gguf");
      await writeModel(source, file);
      assert(relativeL2(await logitsAt(file), expected) < 1e-5);
      using inFile = await openModelSource(file);
      await writeModel(inFile, back);
      using third = await openModelSource(back);
      const { magnitude: _, ...rope } = (third.config as Phi3Config).longRope!;
      const { magnitude: __, ...was } = (source.config as Phi3Config).longRope!;
      assertEquals(rope, was);
      assert(relativeL2(await logitsAt(back), expected) < 1e-5);
      await Deno.remove(back, { recursive: true });
    }
  });
});

Deno.test("longrope: a model that is loaded for more than the original context is rotated by the long factors, as in llama.cpp", async () => {
  await withTemp(async (out) => {
    const [folder, file] = [join(out, "folder"), join(out, "m.gguf")];
    const keys = longrope();
    await writePhi3(folder, { ...keys, original_max_position_embeddings: 32 });
    using source = await openModelSource(folder);
    assertEquals(source.config.context, 32);
    const magnitude = Math.sqrt(1 + Math.log(4096 / 32) / Math.log(32));
    const louder: Weights = { ...plain };
    for (const [name, matrix] of Object.entries(plain)) {
      if (name.includes("q_proj")) louder[name] = matrix.map((x) => x * magnitude ** 2);
    }
    const more = randomTokens(shape.vocabulary, 50, 4);
    const expected = (factors: number[], of: number[]) =>
      llamaLogits({ ...shape, ropeFactors: factors }, louder, of);
    const long = keys.rope_scaling.long_factor;
    for (const [maxPositions, factors, of] of [[32, short, tokens], [64, long, more]] as const) {
      using model = await loadModel(gpu, source, { maxPositions });
      const error = relativeL2(await logitsOf(gpu, model, of), expected([...factors], [...of]));
      assert(error < 1e-5, `relative L2 of the logits is ${error}`);
    }
    if (missing !== undefined) return;
    // Its context is 256 here, as it rounds up.
    const magnitudes = [[32, long], [256, short]] as const;
    for (const [original, factors] of magnitudes) {
      await writePhi3(folder, {
        ...longrope({ attention_factor: magnitude }),
        original_max_position_embeddings: original,
      });
      using source = await openModelSource(folder);
      await writeModel(source, file);
      const theirs = await llamaCppLogits(file, more);
      const found = theirs.flatMap((row) => [...row]);
      const difference = relativeL2(found, expected([...factors], more));
      assert(difference < 1e-5, `relative L2 of llama.cpp's logits is ${difference}`);
    }
  });
});

Deno.test("a part of each head is rotated, as Phi-4 mini's: as the oracle, llama.cpp, and written as it was", async () => {
  await withTemp(async (out) => {
    const [folder, file, back, own] = ["folder", "m.gguf", "back", "own"].map((it) =>
      join(out, it)
    );
    const width = shape.hidden / shape.heads;
    const rotated = 18;
    const factors = Array.from({ length: rotated / 2 }, (_, i) => 1 + i / 8);
    for (
      const [keys, divisors, magnitude] of [
        [{ partial_rotary_factor: 0.75 }, Array(rotated / 2).fill(1), 1],
        [
          {
            rope_parameters: {
              rope_type: "longrope",
              rope_theta: shape.ropeBase,
              partial_rotary_factor: 0.75,
              short_factor: factors,
              long_factor: factors,
            },
            original_max_position_embeddings: 64,
          },
          factors,
          Math.sqrt(1 + Math.log(512 / 64) / Math.log(64)),
        ],
      ] as const
    ) {
      const theta = "rope_parameters" in keys ? { rope_theta: undefined } : {};
      await writePhi3(folder, { ...keys, ...theta });
      using source = await openModelSource(folder);
      assertEquals((source.config as Phi3Config).rotaryDimension, rotated);
      const ours = await logitsAt(folder);
      const error = relativeL2(
        ours,
        llamaLogits(
          { ...shape, rotated, ropeFactors: divisors, ropeMagnitude: magnitude },
          plain,
          tokens,
        ),
      );
      assert(error < 1e-5, `relative L2 of the logits is ${error}`);
      await writeModel(source, file);
      assert(relativeL2(await logitsAt(file), ours) < 1e-6);
      if (missing === undefined) {
        const theirs = await llamaCppLogits(file, tokens);
        const difference = relativeL2(ours, theirs.flatMap((row) => [...row]));
        assert(difference < 1e-5, `relative L2 to llama.cpp's logits is ${difference}`);
      }
      await writeModel({ ...source, folder: undefined }, own);
      using again = await openModelSource(own);
      assertEquals(again.config, source.config);
      await writeModel(await openModelSource(file), back);
      assert(relativeL2(await logitsAt(back), ours) < 1e-6);
      for (const path of [own, back]) await Deno.remove(path, { recursive: true });
    }
    assertEquals(width * 0.75, rotated);
    for (const share of [0, 1.5, "x", 0.3]) {
      await writePhi3(folder, { partial_rotary_factor: share });
      await assertRejects(() => openModelSource(folder), RangeError, "partial_rotary_factor");
    }
  });
});

Deno.test("longrope: lists of another length, other numbers and unknown keys are refused by name", async () => {
  await withTemp(async (out) => {
    for (
      const [keys, part] of [
        [{ short_factor: short.slice(1) }, `${pairs} positive numbers`],
        [{ long_factor: short.map(() => 0) }, "long_factor"],
        [{ short_mscale: 1.2 }, "short_mscale"],
        [{ stretch: 3 }, "stretch"],
      ] as const
    ) {
      await writePhi3(out, longrope(keys));
      await assertRejects((): Promise<ModelSource> => openModelSource(out), RangeError, part);
    }
  });
});
