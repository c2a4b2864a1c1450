import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  generate,
  type GenerateOptions,
  loadModel,
  type Model,
  promptMemory,
  sampler,
} from "../../../models/mod.ts";
import { llamaLogits } from "../../reference/llama.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { ggufInMemory, randomTokens, smallShape } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = { ...smallShape, layers: 1 };
const weights = randomLlama(shape);
const { vocabulary } = shape;

async function withModel(
  maxPositions: number,
  body: (model: Model) => Promise<void>,
): Promise<void> {
  using source = await ggufInMemory(shape, weights);
  using model = await loadModel(gpu, source, { maxPositions });
  await body(model);
}

async function tokensOf(
  model: Model,
  prompt: readonly number[],
  options: GenerateOptions,
): Promise<number[]> {
  const tokens = [];
  for await (const { token } of generate(model, prompt, { stopTokens: [], ...options })) {
    if (token >= 0) tokens.push(token);
  }
  return tokens;
}

/** Asserts that each new token is the oracle's likeliest, but for ties that f32 cannot tell apart. */
function assertGreedy(prompt: readonly number[], tokens: readonly number[]): void {
  const all = [...prompt, ...tokens];
  const logits = llamaLogits(shape, weights, all);
  tokens.forEach((token, i) => {
    const row = logits.subarray(
      (prompt.length + i - 1) * vocabulary,
      (prompt.length + i) * vocabulary,
    );
    const best = Math.max(...row);
    assert(row[token] >= best - 1e-4, `token ${i}: ${row[token]}, the best is ${best}`);
  });
}

Deno.test("greedy tokens are the oracle's, for prompts below, at and beyond a piece of 64 rows", async () => {
  await withModel(200, async (model) => {
    for (const length of [1, 2, 63, 64, 65, 130]) {
      const prompt = randomTokens(vocabulary, length, length);
      const tokens = await tokensOf(model, prompt, { maxTokens: 5 });
      assertEquals(tokens.length, 5);
      assertGreedy(prompt, tokens);
    }
  });
});

Deno.test("generation ends at the end of the context with the right tokens", async () => {
  await withModel(70, async (model) => {
    const before = gpu.memory.total;
    const prompt = randomTokens(vocabulary, 66, 1);
    const tokens = await tokensOf(model, prompt, { maxTokens: 50 });
    assertEquals(tokens.length, 4);
    assertGreedy(prompt, tokens);
    assertEquals(gpu.memory.total, before, "the cache stayed");
    for (const length of [0, 70, 71]) {
      await assertRejects(
        () => tokensOf(model, randomTokens(vocabulary, length, 1), {}),
        RangeError,
        `Cannot generate after ${length} tokens`,
      );
    }
  });
});

Deno.test("a stop token and a signal end generation", async () => {
  await withModel(70, async (model) => {
    const prompt = [5, 6, 7];
    const all = await tokensOf(model, prompt, { maxTokens: 6 });
    const stop = all[3];
    const cut = await tokensOf(model, prompt, { maxTokens: 6, stopTokens: [stop] });
    assertEquals(cut, all.slice(0, all.indexOf(stop)));
    const signal = AbortSignal.abort();
    await assertRejects(() => tokensOf(model, prompt, { signal }), DOMException);
  });
});

Deno.test("sampling depends on the seed and on nothing else", async () => {
  await withModel(70, async (model) => {
    const run = (seed: number) => tokensOf(model, [5], { temperature: 2, seed, maxTokens: 8 });
    const first = await run(1);
    assertEquals(await run(1), first);
    assert(String(await run(2)) !== String(first));
  });
});

Deno.test("logits that are not finite are an error, however a token is chosen", () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    for (const place of [0, 1, 2]) {
      const logits = Float32Array.from([1, 4, 3]);
      logits[place] = value;
      for (const options of [{}, { temperature: 1 }, { temperature: 1, topK: 1 }, { topP: 0.5 }]) {
        const error = assertThrows(() => sampler(options)(logits, 0.5), RangeError);
        assert(error.message.includes(`logit of token ${place} is ${value}`), error.message);
      }
    }
  }
});

Deno.test("samplers keep to their shares", () => {
  const logits = Float32Array.from([1, 4, 3, 2]);
  const share = (options: GenerateOptions) => {
    const counts = [0, 0, 0, 0];
    const sample = sampler(options);
    for (let i = 0; i < 4000; i++) counts[sample(logits, (i + 0.5) / 4000)]++;
    return counts.map((n) => n / 4000);
  };
  const weights = [1, 4, 3, 2].map(Math.exp);
  const total = weights.reduce((a, b) => a + b);
  share({ temperature: 1 }).forEach((p, i) =>
    assert(Math.abs(p - weights[i] / total) < 1e-3, `share ${p} of ${i}`)
  );
  assertEquals(share({ temperature: 0 }), [0, 1, 0, 0]);
  assertEquals(share({ temperature: 1, topK: 1 }), [0, 1, 0, 0]);
  assertEquals(share({ temperature: 5, topK: 2 }).map((p) => p > 0), [false, true, true, false]);
  // The likeliest has 0.64, the first two together 0.88.
  assertEquals(share({ temperature: 1, topP: 0.6 }), [0, 1, 0, 0]);
  assertEquals(share({ temperature: 1, topP: 0.7 }).map((p) => p > 0), [false, true, true, false]);
  for (
    const wrong of [{ temperature: -1 }, { temperature: NaN }, { topK: 0 }, { topP: 0 }, {
      topP: 2,
    }]
  ) {
    assertThrows(() => sampler(wrong), RangeError, "Cannot sample");
  }
});

Deno.test("a repetition penalty divides and multiplies the logits of what is there, the prompt too", async () => {
  await withModel(64, async (model) => {
    const prompt = randomTokens(vocabulary, 6, 3);
    const penalty = 1.7;
    const tokens = await tokensOf(model, prompt, { maxTokens: 8, repetitionPenalty: penalty });
    const all = [...prompt, ...tokens];
    const logits = llamaLogits(shape, weights, all);
    tokens.forEach((token, i) => {
      const at = prompt.length + i;
      const seen = new Set(all.slice(0, at));
      const row = Array.from(
        logits.subarray((at - 1) * vocabulary, at * vocabulary),
        (logit, id) => !seen.has(id) ? logit : logit > 0 ? logit / penalty : logit * penalty,
      );
      assert(row[token] >= Math.max(...row) - 1e-4, `token ${i}`);
    });
    const plain = await tokensOf(model, prompt, { maxTokens: 8 });
    assert(plain.join() !== tokens.join(), "the penalty did nothing");
    assertEquals(await tokensOf(model, prompt, { maxTokens: 8, repetitionPenalty: 1 }), plain);
  });
});

/** Tokens, and every logit that they were chosen by. */
async function logitsOf(model: Model, prompt: readonly number[], options: GenerateOptions) {
  const logits: number[] = [];
  const read = gpu.readFloats;
  gpu.readFloats = async (...args) => {
    const values = await read.apply(gpu, args);
    logits.push(...values);
    return values;
  };
  try {
    return { tokens: await tokensOf(model, prompt, options), logits };
  } finally {
    gpu.readFloats = read;
  }
}

Deno.test("a prompt that begins as one before is gone on from, with the same bits as without", async () => {
  await withModel(400, async (model) => {
    const before = gpu.memory.total;
    {
      using memory = promptMemory(model);
      const prompts = [150, 20].map((length, seed) => randomTokens(vocabulary, length, seed + 1));
      let last: number[] = [];
      // How much of the last prompt and answer comes again, and what follows it.
      for (
        const [alike, more] of [
          ...[[0, 150], [150, 40], [64, 1], [65, 0], [63, 70], [10, 3], [13, 0], [0, 128]],
          ...[[128, 0], [128, 1], [127, 5], [400, 60]],
        ]
      ) {
        const prompt = [...last.slice(0, alike), ...prompts.flat().slice(0, more)];
        const options = { maxTokens: 5, temperature: 3, seed: alike };
        const found = await logitsOf(model, prompt, { ...options, memory });
        assertEquals(memory.length, prompt.length - prompt.length % 64);
        assertEquals(found, await logitsOf(model, prompt, options), `${alike} and ${more}`);
        last = [...prompt, ...found.tokens];
      }
      // Only what is new is read: 64 of 320 tokens.
      const long = randomTokens(vocabulary, 320, 7);
      await tokensOf(model, long.slice(0, 256), { maxTokens: 1, memory });
      let reads = 0;
      const write = gpu.write;
      gpu.write = (...args) => {
        reads++;
        write.apply(gpu, args);
      };
      await tokensOf(model, long, { maxTokens: 1, memory });
      gpu.write = write;
      assertEquals(reads, 1);
      // Ended while it was read: what was done of it counts, and no more.
      const other = randomTokens(vocabulary, 300, 8);
      const signal = AbortSignal.abort();
      await assertRejects(() => tokensOf(model, other, { memory, signal }), DOMException);
      const options = { maxTokens: 3, temperature: 3 };
      assertEquals(
        await logitsOf(model, other, { ...options, memory }),
        await logitsOf(model, other, options),
      );
    }
    assertEquals(gpu.memory.total, before, "the memory stayed");
  });
});

Deno.test("a memory of prompts is of one model and one generation at a time", async () => {
  await withModel(70, async (model) => {
    await withModel(70, async (other) => {
      const before = gpu.memory.total;
      const memory = promptMemory(model);
      const refused = async (of: Model, why: string, options: GenerateOptions = {}) => {
        await assertRejects(
          () => tokensOf(of, [1, 2], { memory, ...options }),
          TypeError,
          `Cannot generate with this memory: ${why}`,
        );
      };
      await refused(other, "it is of another model");
      const made = { length: 0, [Symbol.dispose]() {} };
      await refused(model, "promptMemory makes them", { memory: made });
      const running = generate(model, [1, 2], { memory, stopTokens: [] });
      await running.next();
      await refused(model, "another generation has it");
      // Disposed of meanwhile: the generation that has it goes on and frees it at its end.
      memory[Symbol.dispose]();
      assert(!(await running.next()).done);
      await running.return(undefined);
      await refused(model, "it was disposed");
      assertEquals(gpu.memory.total, before, "the memory stayed");
    });
  });
});
