import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ModelSource, quantizedSource, type TensorSource } from "../../../../models/mod.ts";
import {
  calibrate,
  type CalibrationBlock,
} from "../../../../models/inference/calibration/calibrate.ts";
import { decode, formatByName, type InputStatistics, quantize } from "../../../../quant/mod.ts";
import { statisticsOf } from "../../../quant/calibration_inputs.ts";
import {
  ggufName,
  llamaLogits,
  type LlamaShape,
  type NamedWeights,
} from "../../../reference/llama.ts";
import { relativeL2 } from "../../../reference/nmse.ts";
import { openSharedGpu } from "../../../kernels/one_device.ts";
import { permuteHeads, randomLlama } from "../../../support/random_llama.ts";
import { ggufInMemory, smallShape, textExamples, weightsOf } from "../../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const windows = textExamples(smallShape.vocabulary, [9, 2, 17, 17, 30, 5]);

function smallModel(tied: boolean): Promise<ModelSource> {
  const weights = permuteHeads(smallShape, randomLlama(smallShape, { seed: 3, tied }));
  return ggufInMemory(smallShape, weights);
}

/** Statistics of all linear layers by the f64 forward. */
function oracleStatistics(shape: LlamaShape, weights: NamedWeights): Map<string, InputStatistics> {
  const inputs = new Map<string, number[]>();
  let tokens = 0;
  for (const { candidates: [ids] } of windows) {
    const rows = ids.length - 1;
    tokens += rows;
    llamaLogits(shape, weights, ids.slice(0, -1), null, (name, x) => {
      inputs.set(ggufName(name), [...inputs.get(ggufName(name)) ?? [], ...x]);
    });
  }
  return new Map([...inputs].map(([name, x]) => [name, statisticsOf(x, x.length / tokens)]));
}

function assertStatistics(actual: InputStatistics, expected: InputStatistics, what: string): void {
  assertEquals([actual.columns, actual.tokens], [expected.columns, expected.tokens], what);
  for (const part of ["moments", "magnitudes"] as const) {
    const error = relativeL2(actual[part], expected[part]);
    assert(error < 1e-5, `${what}: relative L2 of the ${part} is ${error}`);
  }
}

async function inFormat(tensor: TensorSource, format: string): Promise<TensorSource> {
  const values = decode(await tensor.read(0, tensor.rows));
  const packed = quantize(values, tensor.rows, tensor.columns, format);
  return {
    ...tensor,
    format: formatByName(format),
    whole: true,
    read: () => Promise.resolve(packed),
  };
}

for (const tied of [true, false]) {
  Deno.test(`inputs of every linear layer are the oracle's, head ${tied ? "tied" : "untied"}`, async () => {
    using source = await smallModel(tied);
    const expected = oracleStatistics(smallShape, await weightsOf(source));
    const seen: string[] = [];
    for await (const block of calibrate(gpu, source, windows, { rows: 32 })) {
      for (const name of block.stages.flat()) {
        assertStatistics(await block.statistics(name), expected.get(name)!, name);
        seen.push(name);
      }
    }
    assertEquals(seen.includes("output.weight"), !tied);
    assertEquals(seen.length, smallShape.layers * 7 + (tied ? 0 : 1));
    assertEquals(gpu.memory.total, 0);
  });
}

Deno.test("layers that share an input are a stage", async () => {
  using source = await smallModel(true);
  const blocks: CalibrationBlock[] = [];
  for await (const block of calibrate(gpu, source, windows)) blocks.push(block);
  assertEquals(blocks.map(({ index }) => index), [0, 1]);
  const name = (it: string) => it.replace(/^blk\.1\.(.*)\.weight$/, "$1");
  assertEquals(blocks[1].stages.map((names) => names.map(name).join()), [
    "attn_q,attn_k,attn_v",
    "attn_output",
    "ffn_gate,ffn_up",
    "ffn_down",
  ]);
  assertEquals([...blocks[1].tensors.keys()].map(name).includes("ffn_norm"), true);
});

Deno.test("what is replaced is what later layers and blocks see", async () => {
  using source = await smallModel(false);
  const tensors = new Map(source.tensors);
  for await (const block of calibrate(gpu, source, windows, { rows: 32 })) {
    for (const stage of block.stages) {
      const expected = oracleStatistics(smallShape, await weightsOf({ ...source, tensors }));
      const [name] = stage;
      assertStatistics(await block.statistics(name), expected.get(name)!, name);
      for (const name of stage) {
        const replaced = await inFormat(block.tensors.get(name)!, "int3_g32");
        await block.replace(replaced);
        tensors.set(name, replaced);
      }
    }
    const gain = [...block.tensors.keys()].find((name) => name.endsWith("ffn_norm.weight"));
    if (gain === undefined) continue;
    const was = block.tensors.get(gain)!;
    const doubled = decode(await was.read(0, 1)).map((value) => 2 * value);
    const packed = quantize(doubled, 1, was.columns, "F32");
    const replaced = { ...was, format: formatByName("F32"), read: () => Promise.resolve(packed) };
    await block.replace(replaced);
    tensors.set(gain, replaced);
  }
});

Deno.test("a quantised source in an order of its own: statistics are in the order of the columns", async () => {
  using dense = await smallModel(true);
  const source = quantizedSource(dense, { format: "Q8_0" });
  const order = Uint32Array.from({ length: smallShape.hidden }, (_, i) => (i * 5 + 3) % 96);
  const name = "blk.1.ffn_up.weight";
  const tensors = new Map(source.tensors);
  const was = tensors.get(name)!;
  const values = decode(await was.read(0, was.rows));
  const moved = Float32Array.from(
    values,
    (_, i) => values[i - i % order.length + order[i % order.length]],
  );
  const packed = quantize(moved, was.rows, was.columns, "F32");
  tensors.set(name, {
    ...was,
    format: formatByName("F32"),
    columnOrder: order,
    read: (first, rows) =>
      Promise.resolve({
        ...packed,
        rows,
        codes: packed.codes.slice(first * was.columns, (first + rows) * was.columns),
      }),
  });
  const inOrder = oracleStatistics(smallShape, await weightsOf(source)).get(name)!;
  const n = order.length;
  const expected = {
    ...inOrder,
    moments: inOrder.moments.map((_, i) =>
      inOrder.moments[order[Math.floor(i / n)] * n + order[i % n]]
    ),
    magnitudes: inOrder.magnitudes.map((_, i) => inOrder.magnitudes[order[i]]),
  };
  for await (const block of calibrate(gpu, { ...source, tensors }, windows)) {
    if (block.index !== 1) continue;
    assertEquals(block.stages.map((names) => names.length), [3, 1, 1, 1, 1]);
    assertStatistics(await block.statistics(name), expected, name);
  }
});

Deno.test("what cannot be calibrated or replaced is refused, and frees its memory", async () => {
  using source = await smallModel(true);
  const none = calibrate(gpu, source, []);
  await assertRejects(() => none.next(), RangeError, "no windows of text");
  const strange = [{ prompt: [], candidates: [[1, smallShape.vocabulary]], label: 0 }];
  await assertRejects(() => calibrate(gpu, source, strange).next(), RangeError, "token 290");
  for await (const block of calibrate(gpu, source, windows)) {
    await assertRejects(() => block.statistics("blk.7.ffn_up.weight"), RangeError, "blk.0.attn_q");
    const other = source.tensors.get("blk.0.ffn_up.weight")!;
    await assertRejects(
      () => block.replace({ ...other, name: "blk.0.attn_q.weight" }),
      RangeError,
      "it has 96 x 96",
    );
    await assertRejects(
      () => block.replace({ ...other, name: "x" }),
      RangeError,
      '"x" of 160 x 96',
    );
    break;
  }
  assertEquals(gpu.memory.total, 0);
  const controller = new AbortController();
  const stopped = calibrate(gpu, source, windows, { signal: controller.signal });
  await stopped.next();
  controller.abort();
  await assertRejects(() => stopped.next(), DOMException);
  assertEquals(gpu.memory.total, 0);
});
