import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  calibratedSource,
  type CalibratedSourceOptions,
  calibratedStream,
  loadModel,
  type ModelSource,
  openModelSource,
  type QuantizedLayer,
  quantizedSource,
  writeModel,
} from "../../../../models/mod.ts";
import { QUANTIZE_METHODS } from "../../../../models/inference/calibration/methods.ts";
import { join } from "@std/path";
import { formatByName, FORMATS } from "../../../../quant/mod.ts";
import { openSharedGpu } from "../../../kernels/one_device.ts";
import { permuteHeads, randomLlama } from "../../../support/random_llama.ts";
import { ggufInMemory, smallShape, textExamples } from "../../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const windows = textExamples(smallShape.vocabulary, [60, 60, 60, 60, 33]);
const LAYERS = smallShape.layers * 7;

function smallModel(tied: boolean): Promise<ModelSource> {
  const weights = permuteHeads(smallShape, randomLlama(smallShape, { seed: 3, tied }));
  return ggufInMemory(smallShape, weights);
}

async function quantised(
  source: ModelSource,
  options: CalibratedSourceOptions,
): Promise<{ result: ModelSource; layers: QuantizedLayer[] }> {
  const layers: QuantizedLayer[] = [];
  const counts: number[] = [];
  const result = await calibratedSource(gpu, source, windows, {
    ...options,
    onLayer: (layer, done, total) => {
      layers.push(layer);
      counts.push(done, total);
    },
  });
  assertEquals(counts, layers.flatMap((_, i) => [i + 1, layers.length]));
  return { result, layers };
}

/** Asserts that the tensors of two sources are the same planes. */
async function assertSameTensors(a: ModelSource, b: ModelSource): Promise<void> {
  assertEquals([...a.tensors.keys()], [...b.tensors.keys()]);
  for (const [name, tensor] of a.tensors) {
    const other = b.tensors.get(name)!;
    assertEquals(await tensor.read(0, tensor.rows), await other.read(0, other.rows), name);
  }
}

Deno.test("rtn is what quantising on reading gives, with the errors of the outputs", async () => {
  using source = await smallModel(false);
  const options = { format: "int4_g32", embedding: "Q8_0" };
  const { result, layers } = await quantised(source, { ...options, method: "rtn" });
  await assertSameTensors(result, quantizedSource(source, options));
  assertEquals(layers.map(({ name }) => name).slice(6), [
    "blk.0.ffn_down.weight",
    ...layers.slice(0, 7).map(({ name }) => name.replace("blk.0", "blk.1")),
    "output.weight",
  ]);
  for (const { format, weightError, outputError, name } of layers) {
    assertEquals(format, name === "output.weight" ? "Q8_0" : "int4_g32");
    assert(weightError > 0.003 && weightError < 0.1, `${weightError}`);
    assert(outputError > 0.001 && outputError < 0.12, `${outputError}`);
  }
});

Deno.test("gptq lowers the error of every layer's outputs, and what it makes can be loaded", async () => {
  using source = await smallModel(true);
  const { layers: nearest } = await quantised(source, { format: "int3_g32", method: "rtn" });
  for (const actOrder of [false, true]) {
    const options = { format: "int3_g32", method: "gptq", actOrder };
    const { result, layers } = await quantised(source, options);
    assertEquals(layers.length, LAYERS);
    layers.forEach(({ outputError, name }, i) => {
      assert(outputError < nearest[i].outputError, `${name}: ${outputError}`);
    });
    using model = await loadModel(gpu, result);
    assertEquals(model.formats.get("blk.1.ffn_up.weight"), "int3_g32");
    assertEquals(model.formats.get("token_embd.weight"), "F16");
  }
});

Deno.test("tensors that stay as they are are not touched", async () => {
  using source = await smallModel(true);
  const options = { format: "int4_g32", method: "gptq", keep: ["ffn_", "attn_k"], fallback: "F32" };
  const { result, layers } = await quantised(source, options);
  assertEquals(
    layers.map(({ name }) => name.split(".")[2]).join(),
    "attn_q,attn_v,attn_output".repeat(2)
      .replace("outputattn", "output,attn"),
  );
  const kept = "blk.0.ffn_up.weight";
  const [now, before] = [result, source].map(({ tensors }) => tensors.get(kept)!);
  assertEquals(now.format, before.format);
  assertEquals(await now.read(0, now.rows), await before.read(0, before.rows));
  // A second quantisation finds nothing to do.
  const again = await quantised(result, options);
  assertEquals(again.layers, []);
  await assertSameTensors(again.result, result);
});

Deno.test("a stream is written as what memory holds, whatever the order of the file, and is read once", async () => {
  using inOrder = await smallModel(false);
  const source = { ...inOrder, tensors: new Map([...inOrder.tensors].reverse()) };
  const folder = await Deno.makeTempDir();
  try {
    for (const [method, format] of [["gptq", "Q4_0"], ["awq", "int3_g32"]]) {
      const options = { format, method, keep: ["ffn_up"] };
      const { result } = await quantised(source, options);
      const held = join(folder, format === "Q4_0" ? "held.gguf" : "held");
      await writeModel(result, held);
      const streamed = held.replace("held", "streamed");
      {
        await using stream = calibratedStream(gpu, source, windows, options);
        await writeModel(stream, streamed);
        const first = stream.tensors.get("blk.0.attn_q.weight")!;
        await assertRejects(() => first.read(0, first.rows), RangeError, "left behind");
      }
      assertEquals(gpu.memory.total, 0);
      using a = await openModelSource(held);
      using b = await openModelSource(streamed);
      await assertSameTensors(a, {
        ...b,
        tensors: new Map([...a.tensors.keys()].map((name) => [name, b.tensors.get(name)!])),
      });
      assertEquals(a.tensors.size, b.tensors.size);
    }
    // Half-way: what was begun is stopped, and nothing is left.
    const path = join(folder, "never");
    const options = { format: "int4_g32", method: "gptq", damping: -1 };
    {
      await using stream = calibratedStream(gpu, source, windows, options);
      await assertRejects(() => writeModel(stream, path), RangeError, "by -1");
      await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
    }
    {
      await using stream = calibratedStream(gpu, source, windows, { ...options, damping: 0.01 });
      const tensor = stream.tensors.get("blk.0.ffn_down.weight")!;
      await tensor.read(0, tensor.rows);
    }
    assertEquals(gpu.memory.total, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("methods: names are one each, and what they cannot do is refused before any work", async () => {
  using source = await smallModel(true);
  const run = (options: CalibratedSourceOptions) => () =>
    calibratedSource(gpu, source, windows, options);
  await assertRejects(run({ format: "Q4_0", method: "gtpq" }), RangeError, "did you mean gptq?");
  await assertRejects(run({ format: "codebook2x8", method: "gptq" }), RangeError, "attn_q");
  await assertRejects(run({ format: "Q4_00", method: "gptq" }), RangeError, "Q4_0");
  await assertRejects(
    () => calibratedSource(gpu, source, [], { format: "Q4_0", method: "gptq" }),
    RangeError,
    "no windows of text",
  );
  assertEquals(new Set(QUANTIZE_METHODS.map(({ name }) => name)).size, QUANTIZE_METHODS.length);
  for (const { name, applies } of QUANTIZE_METHODS) {
    assert(!applies(formatByName("F16")), name);
    assert(FORMATS.some(applies), name);
  }
  assertEquals(gpu.memory.total, 0);
});
