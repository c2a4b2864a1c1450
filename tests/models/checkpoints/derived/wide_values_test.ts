/**
 * Values beyond F16: they stay what they are, or are refused by name; infinity is never written.
 *
 * @module
 */
import { assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import {
  calibratedStream,
  exactlyQuantizedSource,
  loadModel,
  type ModelSource,
  openModelSource,
  quantizedSource,
  writeModel,
} from "../../../../models/mod.ts";
import { exactPlan } from "../../../../models/checkpoints/derived/wide_values.ts";
import { quantize } from "../../../../quant/mod.ts";
import { evaluate } from "../../../../train/mod.ts";
import { openSharedGpu } from "../../../kernels/one_device.ts";
import { llamaCppLogits, llamaCppMissing } from "../../../support/llama_cpp.ts";
import { type FolderType, kindShape, writeKindFolder } from "../../../support/model_kinds.ts";
import { targetLogProbabilities } from "../../../reference/softmax_nll.ts";
import { withTemp } from "../../quantised_folder.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const missing = await llamaCppMissing();
const tokens = Array.from({ length: 20 }, (_, i) => (i * 37 + 11) % kindShape.vocabulary);
const windows = [{ prompt: [], candidates: [tokens], label: 0 }];

/** A folder with a value at row 100 and column 5 of a tensor. */
function folderWith(at: string, tensor: string, value: number, dtype: FolderType): Promise<string> {
  return writeKindFolder(join(at, "wide"), {
    dtype,
    change: (tensors) => {
      const bytes = tensors[tensor].bytes.slice();
      const index = (tensor.includes("norm") ? 0 : 50) * kindShape.hidden + 5;
      if (dtype === "F32") new Float32Array(bytes.buffer)[index] = value;
      else {
        new Uint16Array(bytes.buffer)[index] = new Uint32Array(Float32Array.of(value).buffer)[0] >>>
          16;
      }
      return { ...tensors, [tensor]: { ...tensors[tensor], bytes } };
    },
  });
}

async function lossOf(source: ModelSource): Promise<number> {
  using model = await loadModel(gpu, source);
  return (await evaluate(model, windows, { objective: "language-modelling" })).loss;
}

for (const dtype of ["F32", "BF16"] as const) {
  for (const stored of ["model.embed_tokens.weight", "lm_head.weight"]) {
    Deno.test(`a value of 2^17 in ${stored} of type ${dtype} keeps that type, with a note`, async () => {
      await withTemp(async (at) => {
        using source = await openModelSource(await folderWith(at, stored, 2 ** 17, dtype));
        const name = stored === "lm_head.weight" ? "output.weight" : "token_embd.weight";
        const quantized = await exactlyQuantizedSource(source, { format: "Q8_0" });
        assertEquals(quantized.notes, [
          `Tensor "${name}" stays ${dtype}: it holds 131072 at row 50, column 5, beyond F16's 65504.`,
        ]);
        assertEquals(quantized.tensors.get(name)!.format.name, dtype);
        const path = join(at, "a.gguf");
        await writeModel(quantized, path);
        using written = await openModelSource(path);
        const [before, after] = [await lossOf(source), await lossOf(written)];
        assertAlmostEquals(after, before, 0.02 * before);
        assertAlmostEquals(after, await lossOf(quantized), 1e-6 * after);
        // The other tables fit F16.
        const formats = [...quantized.tensors.values()].map(({ format }) => format.name);
        assertEquals(formats.filter((it) => it === "F16").length, 1);
      });
    });
  }
}

Deno.test("llama.cpp reads a file whose embedding stayed BF16 as the same model", async () => {
  if (missing) return console.log(`skipped, because ${missing}`);
  await withTemp(async (at) => {
    const stored = "model.embed_tokens.weight";
    using source = await openModelSource(await folderWith(at, stored, 2 ** 17, "BF16"));
    const path = join(at, "a.gguf");
    await writeModel(await exactlyQuantizedSource(source, { format: "F32" }), path);
    const logits = await llamaCppLogits(path, tokens.slice(0, -1));
    const sum = logits.reduce(
      (sum, row, i) => sum - targetLogProbabilities(row, row.length, [tokens[i + 1]])[0],
      0,
    );
    const loss = await lossOf(source);
    // It multiplies BF16 matrices by activations rounded to BF16: the head is F16 here.
    assertAlmostEquals(sum / logits.length, loss, 5e-3 * loss);
  });
});

Deno.test("without a look beforehand the tensor is named, and nothing is written", async () => {
  await withTemp(async (at) => {
    const stored = "model.embed_tokens.weight";
    using source = await openModelSource(await folderWith(at, stored, 1e5, "F32"));
    const path = join(at, "a.gguf");
    const error = await assertRejects(
      () => writeModel(quantizedSource(source, { format: "Q8_0" }), path),
      RangeError,
    );
    assertStringIncludes(
      error.message,
      'Cannot quantise tensor "model.embed_tokens.weight" (token_embd.weight) to F16: it holds 100000 at row 50, column 5, beyond F16\'s 65504',
    );
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  });
});

Deno.test("a matrix whose scales would be beyond F16 is refused by name, with text too; kept, it stays what it is", async () => {
  await withTemp(async (at) => {
    const stored = "model.layers.0.mlp.up_proj.weight";
    using source = await openModelSource(await folderWith(at, stored, 1e7, "F32"));
    const says =
      'Cannot quantise tensor "model.layers.0.mlp.up_proj.weight" (blk.0.ffn_up.weight) to Q8_0: it holds 10000000 at row 50, column 5, beyond what scales of type F16 can reach';
    const { options, notes } = await exactPlan(source, { format: "Q8_0" });
    assertEquals(notes, []);
    const path = join(at, "a.gguf");
    const nearest = await assertRejects(
      () => writeModel(quantizedSource(source, options), path),
      RangeError,
    );
    assertStringIncludes(nearest.message, says);
    for (const method of ["rtn", "gptq"]) {
      await using stream = calibratedStream(gpu, source, windows, { ...options, method });
      const error = await assertRejects(() => writeModel(stream, path), RangeError);
      assertStringIncludes(error.message, says);
    }
    const kept = await exactlyQuantizedSource(source, { format: "Q8_0", keep: ["ffn_up"] });
    assertEquals(kept.tensors.get("blk.0.ffn_up.weight")!.format.name, "F32");
    assertStringIncludes(kept.notes!.join(), '"blk.0.ffn_up.weight" stays F32');
  });
});

Deno.test("what is not finite is named by tensor, row and column when it is quantised", async () => {
  await withTemp(async (at) => {
    const stored = "model.layers.0.mlp.up_proj.weight";
    using source = await openModelSource(await folderWith(at, stored, NaN, "F32"));
    await assertRejects(
      () => writeModel(quantizedSource(source, { format: "Q4_0" }), join(at, "a.gguf")),
      RangeError,
      'Cannot quantise tensor "model.layers.0.mlp.up_proj.weight" (blk.0.ffn_up.weight) to Q4_0: it holds NaN at row 50, column 5',
    );
  });
});

Deno.test("F16 takes what rounds to 65504, and nothing beyond", () => {
  assertEquals(
    new Float16Array(quantize(Float32Array.of(65519), 1, 1, "F16").codes.buffer)[0],
    65504,
  );
  for (const value of [65520, -1048576]) {
    try {
      quantize(Float32Array.of(value), 1, 1, "F16");
    } catch (error) {
      assertStringIncludes((error as Error).message, `${value} at row 0, column 0, beyond F16's`);
      continue;
    }
    throw new Error(`${value} became infinity`);
  }
});
