import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { loadModel, type Model, quantizedSource } from "../../../models/mod.ts";
import { dominantLayer } from "../../../train/probes/dominant_layer.ts";
import { llamaLogits, type LlamaShape } from "../../reference/llama.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { ggufInMemory, smallShape, textExamples } from "../../models/small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape: LlamaShape = { ...smallShape, layers: 4 };
const examples = textExamples(shape.vocabulary, [9, 14, 30]);

async function loaded(
  change: (weights: Record<string, Float32Array<ArrayBuffer>>) => void,
  format?: string,
): Promise<{ model: Model; weights: Record<string, Float32Array<ArrayBuffer>> }> {
  const weights = randomLlama(shape, { seed: 12 });
  change(weights);
  const source = await ggufInMemory(shape, weights);
  const model = await loadModel(gpu, format ? quantizedSource(source, { format }) : source);
  return { model, weights };
}

Deno.test("the layer where outliers arise is found, with the oracle's ratios", async () => {
  const { model, weights } = await loaded((weights) => {
    // One output of the third layer's MLP is large.
    const down = weights["model.layers.2.mlp.down_proj.weight"];
    for (let k = 0; k < shape.feedForward; k++) down[17 * shape.feedForward + k] *= 100;
  });
  using _owned = model;
  const seen: number[][] = [];
  const { layer, scores, selection } = await dominantLayer(model, examples, {
    batchSize: 2,
    onProgress: (done, total) => seen.push([done, total]),
  });
  assertEquals([layer, selection, seen], [2, { layers: [2, 2] }, [[1, 2], [2, 2]]]);
  const largest = new Array<number>(5).fill(0);
  const means = new Array<number>(5).fill(0);
  for (const batch of [examples.slice(0, 2), examples.slice(2)]) {
    const sums = new Array<number>(5).fill(0);
    let count = 0;
    for (const { prompt, candidates: [candidate] } of batch) {
      const tokens = [...prompt, ...candidate].slice(0, -1);
      count += tokens.length * shape.hidden;
      let at = 0;
      llamaLogits(shape, weights, tokens, null, undefined, (x) => {
        x.forEach((value) => {
          largest[at] = Math.max(largest[at], Math.abs(value));
          sums[at] += Math.abs(value);
        });
        at++;
      });
    }
    sums.forEach((sum, i) => means[i] += sum / count);
  }
  const ratios = largest.map((size, i) => size / means[i]);
  scores.forEach((score, i) => assertAlmostEquals(score, ratios[i + 1] / ratios[i], 1e-4 * score));
});

Deno.test("the most sensitive layer is found: one that does nothing has no derivative, a louder one more", async () => {
  const { model } = await loaded((weights) => {
    for (const name of ["self_attn.o_proj", "mlp.down_proj"]) {
      weights[`model.layers.0.${name}.weight`].fill(0);
      const loud = weights[`model.layers.1.${name}.weight`];
      loud.forEach((value, i) => loud[i] = 3 * value);
    }
  }, "int4_g32");
  using _owned = model;
  const find = () => dominantLayer(model, examples, { by: "sensitivity", batchSize: 1 });
  const { layer, scores } = await find();
  assertEquals([layer, scores[0], scores.length], [1, 0, 4]);
  assert(scores.slice(1).every((score) => score > 0));
  assertEquals((await find()).scores, scores, "the same again");
  const part = await dominantLayer(model, examples, {
    by: "sensitivity",
    selection: { include: ["*ffn_up*"], layers: [2, 3] },
  });
  assertEquals(part.scores.slice(0, 2), [0, 0]);
  assertEquals(part.selection, { include: ["*ffn_up*"], layers: [part.layer, part.layer] });
  await assertRejects(() => dominantLayer(model, []), RangeError, "no examples");
});
