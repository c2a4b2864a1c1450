import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  Evaluator,
  loadModel,
  type ModelSource,
  packBatch,
  quantizedSource,
} from "../../models/mod.ts";
import type { LlamaConfig } from "../../models/architectures/llama.ts";
import { huggingFaceModelSource } from "../../models/checkpoints/hugging_face/open_folder.ts";
import { exampleCost } from "../../models/batch.ts";
import { LOGITS_BYTES } from "../../models/forward.ts";
import { evaluate } from "../../train/mod.ts";
import { llamaLogits, type LlamaShape } from "../reference/llama.ts";
import { relativeL2 } from "../reference/nmse.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { llamaCppLogits, llamaCppMissing } from "../support/llama_cpp.ts";
import { logitsOf } from "../support/model_logits.ts";
import { permuteHeads, randomLlama } from "../support/random_llama.ts";
import {
  candidateLogProbabilities,
  choiceExamples,
  ggufInMemory,
  ggufOf,
  oracleLoss,
  randomTokens,
  smallShape,
  textExamples,
  weightsOf,
  withFolder,
} from "./small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Asserts that logits and losses of a source are the oracle's. */
async function assertForward(
  source: ModelSource,
  shape: LlamaShape,
  bound = 1e-5,
): Promise<void> {
  using model = await loadModel(gpu, source);
  const weights = await weightsOf(source);
  const tokens = randomTokens(shape.vocabulary, 21, 1);
  const error = relativeL2(await logitsOf(gpu, model, tokens), llamaLogits(shape, weights, tokens));
  assert(error < bound, `relative L2 of the logits is ${error}`);
  using evaluator = new Evaluator(model);
  const text = textExamples(shape.vocabulary, [9, 2, 17]);
  const choice = choiceExamples(shape.vocabulary, [5, 1, 12]);
  const results = await evaluator.run([
    packBatch(text, "language-modelling", 512),
    packBatch(choice, "classification", 512),
  ]);
  const expected = [
    oracleLoss(shape, weights, text, "language-modelling"),
    oracleLoss(shape, weights, choice, "classification"),
  ];
  results.forEach(({ loss }, i) => assertAlmostEquals(loss, expected[i], 10 * bound));
}

const interleaved = ({ config }: ModelSource): boolean => (config as LlamaConfig).ropeInterleaved;

for (const tied of [true, false]) {
  const name = tied ? "a tied head" : "a head of its own";
  Deno.test(`the forward of a GGUF model with ${name} is the oracle's`, async () => {
    using source = await ggufInMemory(smallShape, randomLlama(smallShape, { tied }));
    assertEquals([source.config.tiedHead, interleaved(source)], [tied, true]);
    await assertForward(source, smallShape);
  });

  Deno.test(`the forward of a Hugging Face folder with ${name} is the oracle's`, async () => {
    const shape: LlamaShape = { ...smallShape, rope: "neox" };
    const weights = randomLlama(shape, { tied });
    await withFolder(shape, weights, async (folder) => {
      using source = await huggingFaceModelSource(folder);
      assertEquals([source.config.tiedHead, interleaved(source)], [tied, false]);
      await assertForward(source, shape);
    });
  });
}

Deno.test("a folder and the GGUF file that a converter makes of it give the same logits", async () => {
  const shape: LlamaShape = { ...smallShape, rope: "neox" };
  const weights = randomLlama(shape);
  const tokens = randomTokens(shape.vocabulary, 30, 2);
  await withFolder(shape, weights, async (folder) => {
    using source = await huggingFaceModelSource(folder);
    using model = await loadModel(gpu, source);
    using gguf = await ggufInMemory({ ...shape, rope: "norm" }, permuteHeads(shape, weights));
    using converted = await loadModel(gpu, gguf);
    const error = relativeL2(
      await logitsOf(gpu, model, tokens),
      await logitsOf(gpu, converted, tokens),
    );
    assert(error < 1e-5, `relative L2 is ${error}`);
  });
});

for (const format of ["Q4_0", "Q8_0", "int2_g64", "int3z_g32", "int4_row", "codebook1x8"]) {
  Deno.test(`the forward of a model quantised to ${format} is the oracle's on its weights`, async () => {
    const shape = { ...smallShape, layers: 1 };
    using dense = await ggufInMemory(shape, randomLlama(shape));
    const source = quantizedSource(dense, { format });
    const quantised = [...source.tensors.values()].filter((t) => t.format.name === format);
    assertEquals(quantised.length >= 7, true, "the matrices are quantised");
    await assertForward(source, shape);
  });
}

Deno.test("prompts are shared by candidates without changing a score", async () => {
  using source = await ggufInMemory(smallShape, randomLlama(smallShape));
  using model = await loadModel(gpu, source);
  const weights = await weightsOf(source);
  const examples = choiceExamples(smallShape.vocabulary, [7, 3, 11, 1]);
  const apart = examples.flatMap(({ prompt, candidates }) =>
    candidates.map((c) => ({ prompt, candidates: [c], label: 0 }))
  );
  using evaluator = new Evaluator(model);
  const shared = packBatch(examples, "classification", 512);
  const separate = packBatch(apart, "language-modelling", 512);
  assert(shared.rows < separate.rows, "nothing was shared");
  assertEquals(shared.tokens, separate.tokens);
  const [one, other] = await evaluator.run([shared, separate]);
  const expected = apart.map(({ prompt, candidates }) => {
    const found = candidateLogProbabilities(smallShape, weights, prompt, candidates[0]);
    return found.reduce((a, b) => a + b) / found.length;
  });
  assertEquals(one.scores.length, expected.length);
  expected.forEach((score, i) => {
    assertAlmostEquals(one.scores[i], score, 1e-4);
    assertAlmostEquals(other.scores[i], score, 1e-4);
  });
});

Deno.test("padding and the company of other sequences do not change a loss", async () => {
  using source = await ggufInMemory(smallShape, randomLlama(smallShape));
  using model = await loadModel(gpu, source);
  using evaluator = new Evaluator(model);
  const examples = textExamples(smallShape.vocabulary, [6, 13]);
  const alone = examples.map((e) => packBatch([e], "language-modelling", 512));
  const roomy = { rows: 61, lossRows: 37, candidates: 9, examples: 5 };
  const padded = packBatch(examples, "language-modelling", 512, roomy);
  const [a, b, both] = await evaluator.run([...alone, padded]);
  assertAlmostEquals(both.loss, (a.loss * 5 + b.loss * 12) / 17, 1e-5);
});

Deno.test("logits that do not fit at once are taken in pieces", async () => {
  const shape: LlamaShape = {
    ...smallShape,
    hidden: 32,
    feedForward: 32,
    layers: 1,
    vocabulary: 70000,
    rope: "neox",
  };
  await withFolder(shape, randomLlama(shape, { tied: true }), async (folder) => {
    using source = await huggingFaceModelSource(folder);
    using model = await loadModel(gpu, source);
    using evaluator = new Evaluator(model);
    const examples = textExamples(shape.vocabulary, [130, 140]);
    const batch = packBatch(examples, "language-modelling", 512);
    assert(batch.lossRows * shape.vocabulary * 4 > LOGITS_BYTES, "one piece is enough");
    const apart = examples.map((e) => packBatch([e], "language-modelling", 512));
    const [whole, a, b] = await evaluator.run([batch, ...apart]);
    assertAlmostEquals(whole.loss, (a.loss * 129 + b.loss * 139) / 268, 1e-5);
  });
});

const missing = await llamaCppMissing();
Deno.test({
  name: "logits of an F32 GGUF model agree with llama.cpp to 1e-5" +
    (missing ? ` (skipped: ${missing})` : ""),
  ignore: missing !== undefined,
  fn: async () => {
    const weights = randomLlama(smallShape);
    const file = await Deno.makeTempFile({ suffix: ".gguf" });
    try {
      await Deno.writeFile(file, ggufOf(smallShape, weights));
      const tokens = randomTokens(smallShape.vocabulary, 40, 3);
      const expected = (await llamaCppLogits(file, tokens)).flatMap((row) => [...row]);
      using source = await ggufInMemory(smallShape, weights);
      using model = await loadModel(gpu, source);
      const error = relativeL2(await logitsOf(gpu, model, tokens), expected);
      assert(error < 1e-5, `relative L2 is ${error}`);
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test("candidates that begin with context: their score is that of what follows, as behind a prompt that holds it", async () => {
  const weights = randomLlama({ ...smallShape, layers: 1 }, { tied: true });
  using source = await ggufInMemory({ ...smallShape, layers: 1 }, weights);
  using model = await loadModel(gpu, source);
  using evaluator = new Evaluator(model);
  const { vocabulary } = smallShape;
  const prompt = randomTokens(vocabulary, 6, 1);
  const options = [randomTokens(vocabulary, 1, 2), randomTokens(vocabulary, 3, 3)];
  const rest = randomTokens(vocabulary, 4, 4);
  const candidates = options.map((option) => [...option, ...rest]);
  for (const shared of [prompt, []]) {
    const leads = options.map(({ length }) => length);
    const partial = { prompt: shared, candidates, leads, label: 1 };
    assertEquals(exampleCost(partial).lossRows, 8);
    const [{ scores }] = await evaluator.run([packBatch([partial], "classification", 64)]);
    for (const [i, option] of options.entries()) {
      const behind = { prompt: [...shared, ...option], candidates: [rest], label: 0 };
      const [{ loss }] = await evaluator.run([packBatch([behind], "language-modelling", 64)]);
      assertAlmostEquals(scores[i], -loss, 1e-5);
    }
    const { predictions } = await evaluate(model, [partial], {
      objective: "classification",
      score: "sum",
    });
    // As many tokens in both: the mean and the sum choose alike.
    assertEquals(predictions, [scores[1] > scores[0] ? 1 : 0]);
  }
  for (const leads of [[1], [1, 7], [-1, 1], [0.5, 1]]) {
    const wrong = { prompt, candidates, leads, label: 0 };
    assertThrows(() => packBatch([wrong], "classification", 64), RangeError, "that are context");
  }
});
