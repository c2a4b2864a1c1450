/**
 * Computes the initial values of an adapter that depend on its base model: what the base computes for a few tokens.
 *
 * @module
 */

import {
  batchLayout,
  compileGraph,
  SHADER_LIBRARY,
  Storage,
  submitPlanInTurns,
} from "../../kernels/mod.ts";
import type { Adapter } from "../adapters/scheme.ts";
import { adapterScheme } from "../adapters/schemes.ts";
import { sightOf } from "../architectures.ts";
import { recordStart } from "../forward.ts";
import { assertNotDisposed, type Model } from "./model.ts";

/**
 * Completes an adapter so that it can be used with its base model. If its initial values come from the base's embeddings, keys or values, one
 * forward pass over a few tokens computes them. Any other adapter is returned unchanged.
 *
 * The values are stored as f16 within the adapter's plan, so a ledger contains them and replays to the same bits everywhere.
 *
 * @param base The model to use it with, without an adapter.
 * @throws {RangeError} when the model was loaded for fewer positions than the adapter's tokens.
 *
 * @example The embeddings of a text, before every sequence
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, openModelSource, promptAdapter, startedAdapter } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using base = await loadModel(gpu, source);
 * const adapter = await startedAdapter(base, promptAdapter(base, { tokens: 2, text: "A review" }));
 * using model = base.withAdapter(adapter);
 * assertEquals(model.maxPositions, base.maxPositions - 2);
 * ```
 */
export async function startedAdapter(base: Model, adapter: Adapter): Promise<Adapter> {
  const { start, ...rest } = adapter;
  if (!start) return adapter;
  assertNotDisposed(base, "start an adapter");
  const { gpu, config, maxPositions } = base;
  const { tokens, of } = start;
  if (tokens.length > maxPositions) {
    throw new RangeError(
      `Cannot start an adapter from ${tokens.length} tokens: the model was loaded for ${maxPositions} positions`,
    );
  }
  const shape = { rows: tokens.length, lossRows: 1, candidates: 1, examples: 1 };
  const at = batchLayout(shape);
  const words = new Uint32Array(at.words);
  const seesAll = sightOf(config) === "all";
  tokens.forEach((token, i) => {
    words[at.tokens + i] = token;
    words[at.positions + i] = i;
    words[at.slots + i] = i;
    if (seesAll) {
      words[at.prefixEnd + i] = tokens.length;
      words[at.ownStart + i] = i + 1;
    }
  });
  using input = new Storage("tokens", at.words * 4, "activations").allocate(gpu);
  const { graph, embeddings, keys, values } = recordStart(base, shape, input);
  const kept = of === "embeddings" ? [embeddings] : [...keys, ...values];
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY, kept);
  gpu.write(input.buffer, words);
  await submitPlanInTurns(gpu, plan, {});
  const read: Float32Array<ArrayBuffer>[] = [];
  for (const value of kept) {
    read.push(new Float32Array(await gpu.readFloats(plan.buffer(value), value.words)));
  }
  gpu.pipelines.check();
  const { parse, started } = adapterScheme(adapter.scheme);
  if (!started) throw new TypeError(`Cannot start an adapter of scheme ${adapter.scheme}`);
  const found = of === "embeddings" ? { embeddings: read[0], keys: [], values: [] } : {
    embeddings: new Float32Array(0),
    keys: read.slice(0, config.layers),
    values: read.slice(config.layers),
  };
  return { ...rest, plan: started(parse(adapter.plan), found) };
}
