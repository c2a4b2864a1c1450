import { assert, assertEquals } from "@std/assert";
import { calibratedSource, type ModelSource, quantizedSource } from "../../../../models/mod.ts";
import { llamaLogits, type NamedWeights } from "../../../reference/llama.ts";
import { relativeL2 } from "../../../reference/nmse.ts";
import { openSharedGpu } from "../../../kernels/one_device.ts";
import { permuteHeads, randomLlama } from "../../../support/random_llama.ts";
import { ggufInMemory, smallShape, textExamples, weightsOf } from "../../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const windows = textExamples(smallShape.vocabulary, [30, 25, 40, 33, 28]);

/** A model in which some channels of every kind are loud, and the columns that read them small. */
function loudModel(): Promise<ModelSource> {
  const weights: Record<string, Float32Array<ArrayBuffer>> = {
    ...randomLlama(smallShape, { seed: 5, tied: true }),
  };
  const d = smallShape.hidden / smallShape.heads;
  const perHead = smallShape.heads / smallShape.kvHeads;
  const loud = (channel: number) => channel % 13 === 4 ? 20 : 1;
  for (const [name, values] of Object.entries(weights)) {
    const columns = name.includes("down_proj") ? smallShape.feedForward : smallShape.hidden;
    const inLayer = name.includes("layers");
    const isNorm = inLayer && name.includes("norm");
    const rowsAreChannels = /v_proj|up_proj/.test(name);
    weights[name] = values.map((x, i) => {
      const [row, k] = [Math.floor(i / columns), i % columns];
      if (isNorm) return x * loud(i);
      if (!inLayer) return x;
      const channel = name.includes("o_proj") ? Math.floor(k / d / perHead) * d + k % d : k;
      return x * (rowsAreChannels ? loud(row) : 1) / loud(channel);
    });
  }
  return ggufInMemory(smallShape, permuteHeads(smallShape, weights));
}

function logitsOf(weights: NamedWeights): Float64Array[] {
  return windows.map(({ candidates: [ids] }) =>
    Float64Array.from(llamaLogits(smallShape, weights, ids.slice(0, -1)))
  );
}

/** What the logits of a model miss, summed over windows. */
async function errorOf(source: ModelSource, logits: readonly Float64Array[]): Promise<number> {
  const found = logitsOf(await weightsOf(source));
  return found.reduce((sum, it, w) => sum + relativeL2(it, logits[w]), 0);
}

Deno.test("AWQ divides gains, values and gated channels by what it multiplies columns with", async () => {
  using source = await loudModel();
  const was = await weightsOf(source);
  const layers: string[] = [];
  const result = await calibratedSource(gpu, source, windows, {
    format: "int8_g32",
    embedding: "F32",
    method: "awq",
    onLayer: ({ name }) => layers.push(name),
  });
  const now = await weightsOf(result);
  assertEquals(layers.length, 14);
  for (let i = 0; i < smallShape.layers; i++) {
    for (const norm of ["attn_norm", "ffn_norm"]) {
      const name = `blk.${i}.${norm}.weight`;
      const ratios = now[name].map((x, k) => was[name][k] / x);
      // The factors of loud channels are larger.
      assert(ratios[4] > 1.2 * ratios[5], `${name}: ${ratios[4]} ${ratios[5]}`);
    }
    for (const name of [`blk.${i}.attn_v.weight`, `blk.${i}.ffn_up.weight`]) {
      const size = (of: Float64Array, row: number) =>
        Math.hypot(...of.subarray(row * 96, (row + 1) * 96));
      const ratio = (row: number) => size(was[name], row) / size(now[name], row);
      assert(ratio(4) > 1.2 * ratio(5), `${name}: ${ratio(4)} ${ratio(5)}`);
    }
  }
  const before = logitsOf(was);
  const rounded = quantizedSource(source, { format: "int8_g32", embedding: "F32" });
  const [error, usual] = await Promise.all([result, rounded].map((it) => errorOf(it, before)));
  assert(error < 0.2 && error < 1.1 * usual, `${error} ${usual}`);
  assertEquals(gpu.memory.total, 0);
});

Deno.test("at three bits AWQ comes nearer to the model than rounding, and importance does too", async () => {
  using source = await loudModel();
  const before = logitsOf(await weightsOf(source));
  const errors: Record<string, number> = {};
  for (const method of ["rtn", "imatrix", "awq"]) {
    const options = { format: "int3_g32", embedding: "F32", method };
    errors[method] = await errorOf(await calibratedSource(gpu, source, windows, options), before);
  }
  const said = JSON.stringify(errors);
  assert(errors.imatrix < errors.rtn, said);
  assert(errors.awq < 0.8 * errors.rtn && errors.awq < errors.imatrix, said);
});

Deno.test("codebooks that know their inputs come nearer than those that do not", async () => {
  using source = await loudModel();
  const before = logitsOf(await weightsOf(source));
  const errors: Record<string, number> = {};
  for (const method of ["rtn", "codebook"]) {
    const options = { format: "codebook1x8", embedding: "F32", method };
    errors[method] = await errorOf(await calibratedSource(gpu, source, windows, options), before);
  }
  assert(errors.codebook < 0.8 * errors.rtn, JSON.stringify(errors));
});
