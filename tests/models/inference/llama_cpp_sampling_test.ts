/**
 * Samplers against llama.cpp's own, on its logits of the bundled model: the same tokens are left, with the same probabilities.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import {
  type PenaltyOptions,
  type SamplingOptions,
  tokenProbabilities,
} from "../../../models/mod.ts";
import { Penalties } from "../../../models/inference/sampling.ts";
import {
  llamaCppLeft,
  llamaCppLogits,
  llamaCppMissing,
  type LlamaCppSampling,
} from "../../support/llama_cpp.ts";

const demo = fromFileUrl(new URL("../../../demo/model.gguf", import.meta.url));
const missing = await llamaCppMissing();

const prompt = [2, 71, 90, 71, 33, 90, 12, 71, 240, 33, 7, 300, 90];

const cases: (SamplingOptions & PenaltyOptions)[] = [
  {},
  ...[1, 3, 40].map((topK) => ({ topK })),
  ...[0.1, 0.5, 0.9, 0.99].map((topP) => ({ topP })),
  ...[0.02, 0.1, 0.5].map((minP) => ({ minP })),
  ...[0.3, 0.8, 1.7].map((temperature) => ({ temperature })),
  { topK: 20, topP: 0.8, minP: 0.1, temperature: 0.7 },
  { topK: 200, topP: 0.6, temperature: 3 },
  { topP: 0.95, minP: 0.05, temperature: 5 },
  { repetitionPenalty: 1.3 },
  { repetitionPenalty: 0.7, topK: 10 },
  { frequencyPenalty: 0.8 },
  { presencePenalty: 1.1, minP: 0.05 },
  {
    repetitionPenalty: 1.2,
    frequencyPenalty: 0.4,
    presencePenalty: 0.3,
    topK: 30,
    temperature: 1.4,
  },
  { repetitionPenalty: 1.5, frequencyPenalty: 0.5, penaltyWindow: 4 },
];

Deno.test({
  name: `samplers leave what llama.cpp's leave${
    missing === undefined ? "" : ` (skipped, because ${missing})`
  }`,
  ignore: missing !== undefined,
  fn: async () => {
    const logits = (await llamaCppLogits(demo, prompt))[prompt.length - 1];
    const theirs = await llamaCppLeft(
      demo,
      prompt,
      cases.map((it): LlamaCppSampling => {
        const {
          repetitionPenalty = 1,
          frequencyPenalty = 0,
          presencePenalty = 0,
          penaltyWindow = 64,
        } = it;
        const window = Math.min(penaltyWindow, prompt.length);
        return {
          temperature: it.temperature ?? 1,
          topK: it.topK ?? 0,
          topP: it.topP ?? 1,
          minP: it.minP ?? 0,
          repeatPenalty: {
            punishTokens: prompt.slice(-window),
            maxPunishTokens: window,
            penalty: repetitionPenalty,
            frequencyPenalty,
            presencePenalty,
          },
        };
      }),
    );
    let narrowed = 0;
    for (const [i, options] of cases.entries()) {
      const { temperature = 1, topK, topP, minP } = options;
      const own = logits.slice();
      const penalties = new Penalties(options);
      for (const token of prompt) penalties.see(token);
      penalties.apply(own);
      const left = tokenProbabilities(own, {
        temperature,
        ...(topK ? { topK } : {}),
        ...(topP ? { topP } : {}),
        ...(minP ? { minP } : {}),
      });
      const wanted = new Map(theirs[i]);
      const what = JSON.stringify(options);
      assertEquals(new Set(left.map(({ token }) => token)), new Set(wanted.keys()), what);
      for (const { token, probability } of left) {
        assertAlmostEquals(probability, wanted.get(token)!, 2e-5, what);
      }
      if (left.length < logits.length) narrowed++;
    }
    assert(narrowed >= 12);
  },
});
