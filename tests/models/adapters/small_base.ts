/**
 * A small model that adapters are put on.
 *
 * @module
 */
import type { Gpu } from "../../../kernels/mod.ts";
import { loadModel, type Model } from "../../../models/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { ggufInMemory, randomTokens, smallShape, weightsOf } from "../small_model.ts";

interface SmallBase {
  readonly gpu: Gpu;
  readonly base: Model;
  readonly weights: Awaited<ReturnType<typeof weightsOf>>;
  readonly tokens: number[];
}

/** The model, its weights, and a text; released when the tests of the file end. */
export async function openSmallBase(): Promise<SmallBase> {
  const gpu = await openSharedGpu();
  const source = await ggufInMemory(smallShape, randomLlama(smallShape));
  const base: Model = await loadModel(gpu, source);
  Deno.test.afterAll(() => {
    base[Symbol.dispose]();
    source[Symbol.dispose]();
    gpu[Symbol.dispose]();
  });
  const weights = await weightsOf(source);
  return { gpu, base, weights, tokens: randomTokens(smallShape.vocabulary, 19, 4) };
}
