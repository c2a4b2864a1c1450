import { assert } from "@std/assert";
import { Evaluator, loadModel, type ModelSource, packBatch } from "../../../models/mod.ts";
import { ggufModelSource } from "../../../models/checkpoints/gguf/open_gguf.ts";
import { huggingFaceModelSource } from "../../../models/checkpoints/hugging_face/open_folder.ts";
import { bytesSource } from "../../../quant/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { readHuggingFaceFolder } from "../../support/hugging_face.ts";
import { type Checkpoint, readLlama2c, readLlama2cTokenizer } from "../../support/llama2c.ts";
import { exists, readReviews, readStories, sharedData } from "../../support/shared_data.ts";
import { ggufOf, oracleLoss } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Asserts that nats per token of a text are the oracle's, and those of a model that has learnt to read. */
async function assertNats(
  source: ModelSource,
  { shape, weights }: Checkpoint,
  tokens: number[],
): Promise<void> {
  const examples = [{ prompt: [], candidates: [tokens], label: 0 }];
  const expected = oracleLoss(shape, weights, examples, "language-modelling");
  using model = await loadModel(gpu, source);
  using evaluator = new Evaluator(model);
  const batch = packBatch(examples, "language-modelling", model.maxPositions);
  const [{ loss }] = await evaluator.run([batch]);
  assert(Math.abs(loss - expected) < 1e-5 * expected, `${loss} nats, the oracle says ${expected}`);
  assert(loss > 0.5 && loss < 5, `${loss} nats a token are not those of a trained model`);
}

/** A test of a model in ../shared/data, skipped with its reason where it is not there. */
function testReal(name: string, path: string, fn: () => Promise<void>): void {
  const ignore = !exists(sharedData(path));
  Deno.test({
    name: name + (ignore ? ` (skipped: ../shared/data/${path} is not here)` : ""),
    ignore,
    fn,
  });
}

testReal("nats per token of stories260k are the oracle's", "models/stories260k", async () => {
  const checkpoint = readLlama2c(
    Deno.readFileSync(sharedData("models/stories260k/stories260K.bin")),
  );
  const encode = readLlama2cTokenizer(
    Deno.readFileSync(sharedData("models/stories260k/tok512.bin")),
    checkpoint.shape.vocabulary,
  );
  const bytes = ggufOf(checkpoint.shape, checkpoint.weights);
  using source = await ggufModelSource(bytesSource(bytes, "stories260k.gguf"));
  await assertNats(source, checkpoint, encode(readStories()[1]).slice(0, 120));
});

for (
  const [name, read] of [
    ["tinystories-656k", () => readStories()[0]],
    ["reviews-4m", () => readReviews()[0]],
  ] as const
) {
  testReal(`nats per token of ${name} are the oracle's`, `models/${name}`, async () => {
    const folder = sharedData(`models/${name}`);
    using source = await huggingFaceModelSource(folder);
    const tokens = [...source.tokenizer!.encode(read())].slice(0, 48);
    await assertNats(source, await readHuggingFaceFolder(folder), tokens);
  });
}
