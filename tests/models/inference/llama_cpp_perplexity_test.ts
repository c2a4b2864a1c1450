import { assert } from "@std/assert";
import { join } from "@std/path";
import {
  Evaluator,
  loadModel,
  openModelSource,
  packBatch,
  quantizedSource,
  writeModel,
} from "../../../models/mod.ts";
import { huggingFaceModelSource } from "../../../models/checkpoints/hugging_face/open_folder.ts";
import { FORMATS } from "../../../quant/mod.ts";
import { logSoftmax } from "../../reference/softmax_nll.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { llamaCppLogitsOf, llamaCppMissing } from "../../support/llama_cpp.ts";
import { sampled } from "../../support/sampled.ts";
import { exists, readReviews, sharedData } from "../../support/shared_data.ts";
import { withTemp } from "../quantised_folder.ts";

// Whole models: a trained one in every GGUF type, written to a file, has the perplexity that llama.cpp finds for that file.

const folder = sharedData("models/reviews-4m");
const missing = await llamaCppMissing() ??
  (exists(folder) ? undefined : "../shared/data/models/reviews-4m is not here");
const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/**
 * Nats a token. llama.cpp rounds the inputs of a product to the type of dense weights, and to 8 bits for quantised ones, which makes up to
 * 0.0031 here; that every type decodes bit for bit is shown by tests/quant/formats/llama_cpp_decode_test.ts.
 */
const BOUNDS: Readonly<Record<string, number>> = { F32: 1e-5, F16: 1e-4, BF16: 1e-3 };
const QUANTISED = 5e-3;

const formats = FORMATS.filter(({ gguf }) => gguf);
for (const { name } of sampled("perplexities", formats, 1 / 4)) {
  Deno.test({
    name: `a model in ${name} has the perplexity that llama.cpp finds` +
      (missing ? ` (skipped: ${missing})` : ""),
    ignore: missing !== undefined,
    fn: async () => {
      using dense = await huggingFaceModelSource(folder);
      const windows = readReviews().slice(-6).map((text) => [...dense.tokenizer!.encode(text)]);
      const lists = windows.map((tokens) => tokens.slice(0, 64));
      await withTemp(async (out) => {
        const file = join(out, "model.gguf");
        // Grids take seconds a layer to search: once, of one layer's attention and last product, and both read what was written.
        const grids = ["blk.1.", "blk.2.", "blk.3.", "blk.0.ffn_gate", "blk.0.ffn_up"];
        const keep = /^IQ[123]/.test(name) ? grids : [];
        await writeModel(quantizedSource(dense, { format: name, keep }), file);
        using source = await openModelSource(file);
        using model = await loadModel(gpu, source);
        using evaluator = new Evaluator(model);
        const examples = lists.map((tokens) => ({ prompt: [], candidates: [tokens], label: 0 }));
        const batch = packBatch(examples, "language-modelling", model.maxPositions);
        const [{ loss }] = await evaluator.run([batch]);
        const logits = await llamaCppLogitsOf(file, lists);
        const nats = lists.flatMap((tokens, i) =>
          tokens.slice(1).map((token, at) => -logSoftmax(logits[i][at])[token])
        );
        const theirs = nats.reduce((sum, x) => sum + x, 0) / nats.length;
        const difference = Math.abs(loss - theirs);
        assert(
          difference < (BOUNDS[name] ?? QUANTISED),
          `${loss} nats a token, llama.cpp finds ${theirs}`,
        );
      });
    },
  });
}
