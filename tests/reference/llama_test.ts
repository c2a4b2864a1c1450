import { assert, assertThrows } from "@std/assert";
import { Tokenizer } from "@huggingface/tokenizers";
import { llamaLogits, type LlamaShape, type NamedWeights } from "./llama.ts";
import { relativeL2 } from "./nmse.ts";
import { targetLogProbabilities } from "./softmax_nll.ts";
import { readHuggingFaceFolder } from "../support/hugging_face.ts";
import { type Checkpoint, readLlama2c, readLlama2cTokenizer } from "../support/llama2c.ts";
import { permuteHeads, randomLlama } from "../support/random_llama.ts";
import { exists, readReviews, readStories, sharedData } from "../support/shared_data.ts";

/** Losses in nats of the tokens of one list but the first. */
function tokenLosses({ shape, weights }: Checkpoint, tokens: number[]): number[] {
  const logits = llamaLogits(shape, weights, tokens);
  const targets = targetLogProbabilities(logits, shape.vocabulary, tokens.slice(1));
  return Array.from(targets, (logProbability) => -logProbability);
}

/** The mean of some numbers. */
function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The same model under the other RoPE convention: a wrong reading, which must show. */
function otherConvention({ shape, weights }: Checkpoint): Checkpoint {
  return { shape: { ...shape, rope: shape.rope === "norm" ? "neox" : "norm" }, weights };
}

/** Asserts a loss near a published figure, which other text than ours gave, and a worse one when RoPE is misread. */
function assertSound(model: Checkpoint, lists: number[][], published: number): void {
  const losses = lists.map((tokens) => tokenLosses(model, tokens));
  const loss = mean(losses.flat());
  assert(Math.abs(loss - published) < 0.15, `${loss} nats per token, not ${published}`);
  const misread = mean(tokenLosses(otherConvention(model), lists[0]));
  assert(misread > mean(losses[0]) + 0.1, `${misread} misread, ${mean(losses[0])} read well`);
}

/** Encodes with the tokenizer of a Hugging Face folder, special tokens included. */
function encoderOf(folder: string): (text: string) => number[] {
  const read = (file: string): object => JSON.parse(Deno.readTextFileSync(`${folder}/${file}`));
  const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
  return (text) => tokenizer.encode(text).ids;
}

/** Says in a test's name why it does not run. */
function needs(folder: string): { name: string; ignore: boolean } {
  const ignore = !exists(folder);
  return { name: ignore ? " (skipped: ../shared/data is not here)" : "", ignore };
}

const stories260k = sharedData("models/stories260k");
Deno.test({
  ignore: needs(stories260k).ignore,
  name: "stories260k has 1.404 nats per token" + needs(stories260k).name,
  fn: () => {
    const model = readLlama2c(Deno.readFileSync(`${stories260k}/stories260K.bin`));
    const encode = readLlama2cTokenizer(Deno.readFileSync(`${stories260k}/tok512.bin`), 512);
    assertSound(model, readStories().slice(0, 6).map((s) => encode(s).slice(0, 160)), 1.404);
  },
});

const tinystories = sharedData("models/tinystories-656k");
Deno.test({
  ignore: needs(tinystories).ignore,
  name: "tinystories-656k has 2.998 nats per token" + needs(tinystories).name,
  fn: async () => {
    const model = await readHuggingFaceFolder(tinystories);
    const encode = encoderOf(tinystories);
    assertSound(model, readStories().slice(0, 4).map((s) => encode(s).slice(0, 250)), 2.998);
  },
});

const reviews = sharedData("models/reviews-4m");
Deno.test({
  ignore: needs(reviews).ignore,
  name: "reviews-4m has 4.089 nats per token" + needs(reviews).name,
  fn: async () => {
    const model = await readHuggingFaceFolder(reviews);
    const encode = encoderOf(reviews);
    // Reviews differ much, so they are taken from all over the file.
    const sample = readReviews().filter((_, i) => i % 150 === 0);
    assertSound(model, sample.map((s) => encode(s).slice(0, 160)), 4.089);
  },
});

const small: LlamaShape = {
  hidden: 48,
  layers: 2,
  feedForward: 40,
  heads: 4,
  kvHeads: 2,
  vocabulary: 50,
  epsilon: 1e-5,
  ropeBase: 10000,
  rope: "neox",
};
const tokens = [1, 7, 7, 49, 0, 13, 22, 5, 9];

Deno.test("both RoPE conventions agree once the rows of q and k are permuted", () => {
  const weights = randomLlama(small);
  const expected = llamaLogits(small, weights, tokens);
  const permuted = llamaLogits({ ...small, rope: "norm" }, permuteHeads(small, weights), tokens);
  assert(relativeL2(permuted, expected) < 1e-13);
});

Deno.test("candidates that share a prompt's rows score as separate sequences do", () => {
  const weights: NamedWeights = randomLlama(small, { seed: 2, tied: true });
  const prompt = tokens.slice(0, 4);
  const candidates = [tokens.slice(4, 6), tokens.slice(6)];
  const packed = llamaLogits(small, weights, [...prompt, ...candidates.flat()], {
    positions: [0, 1, 2, 3, 4, 5, 4, 5, 6],
    rows: [
      ...prompt.map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 0 })),
      ...candidates[0].map(() => ({ prefixStart: 0, prefixEnd: 4, ownStart: 4 })),
      ...candidates[1].map(() => ({ prefixStart: 0, prefixEnd: 4, ownStart: 6 })),
    ],
  });
  let row = 4;
  for (const candidate of candidates) {
    const alone = llamaLogits(small, weights, [...prompt, ...candidate]);
    const end = row + candidate.length;
    const found = packed.subarray(row * 50, end * 50);
    assert(relativeL2(found, alone.subarray(4 * 50)) < 1e-13);
    row = end;
  }
});

Deno.test("a missing tensor is named", () => {
  const { "model.norm.weight": _, ...rest } = randomLlama(small);
  assertThrows(() => llamaLogits(small, rest, tokens), TypeError, "model.norm.weight");
});
