/**
 * Samplers against a plain oracle on probabilities, written from llama.cpp's definitions, and against the values that its own tests name.
 */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { sampler, type SamplingOptions, tokenProbabilities } from "../../../models/mod.ts";
import { Penalties } from "../../../models/inference/sampling.ts";
import { randomNumbers } from "../../support/random_llama.ts";

/** Probabilities of what is left, by token: each step on a list of probabilities, as the definitions have it. */
function oracle(
  logits: readonly number[],
  { topK = Infinity, topP = 1, minP = 0, temperature = 1 }: SamplingOptions,
): Map<number, number> {
  const softmax = (values: readonly number[]) => {
    const top = Math.max(...values);
    const total = values.reduce((sum, it) => sum + Math.exp(it - top), 0);
    return values.map((it) => Math.exp(it - top) / total);
  };
  let left = logits.map((logit, token) => ({ token, logit }))
    .toSorted((a, b) => b.logit - a.logit || a.token - b.token);
  if (topK < left.length) left = left.slice(0, topK);
  if (topP < 1) {
    const shares = softmax(left.map((it) => it.logit));
    let sum = 0;
    const end = shares.findIndex((share) => (sum += share) >= topP);
    if (end >= 0) left = left.slice(0, end + 1);
  }
  if (minP > 0) {
    const shares = softmax(left.map((it) => it.logit));
    left = left.filter((_, i) => i === 0 || shares[i] >= minP * shares[0]);
  }
  const shares = softmax(left.map((it) => it.logit / temperature));
  return new Map(left.map(({ token }, i) => [token, shares[i]]));
}

Deno.test("the values that llama.cpp's own tests of its samplers name", () => {
  const logits = Float32Array.from([0.1, 0.2, 0.3, 0.4].map(Math.log));
  const shares = (options: SamplingOptions) =>
    tokenProbabilities(logits, { temperature: 1, ...options });
  const cases: [SamplingOptions, number[]][] = [
    [{ topK: 1 }, [1]],
    [{ topK: 3 }, [0.44444, 0.33333, 0.22222]],
    [{ topK: 4 }, [0.4, 0.3, 0.2, 0.1]],
    [{ topP: 1e-9 }, [1]],
    [{ topP: 0.7 - 1e-7 }, [0.571429, 0.428571]],
    [{ topP: 0.8 }, [0.44444, 0.33333, 0.22222]],
    [{ topP: 1 }, [0.4, 0.3, 0.2, 0.1]],
    [{ minP: 0 }, [0.4, 0.3, 0.2, 0.1]],
    [{ minP: 0.24 }, [0.4, 0.3, 0.2, 0.1]],
    [{ minP: 0.26 }, [0.4 / 0.9, 0.3 / 0.9, 0.2 / 0.9]],
    [{ minP: 0.49 }, [0.4 / 0.9, 0.3 / 0.9, 0.2 / 0.9]],
    [{ minP: 0.51 }, [0.4 / 0.7, 0.3 / 0.7]],
    [{ minP: 0.74 }, [0.4 / 0.7, 0.3 / 0.7]],
    [{ minP: 0.76 }, [1]],
    [{ minP: 1 }, [1]],
    [{ temperature: 0 }, [1]],
  ];
  for (const [options, wanted] of cases) {
    const found = shares(options);
    assertEquals(found.map(({ token }) => token), [3, 2, 1, 0].slice(0, wanted.length));
    found.forEach(({ probability }, i) => assertAlmostEquals(probability, wanted[i], 1e-5));
  }
  const penalised = (options: ConstructorParameters<typeof Penalties>[0], seen: number[]) => {
    const values = Float32Array.from([0.2, 0.2, 0.2, 0.2, 0.2].map(Math.log));
    const penalties = new Penalties(options);
    seen.forEach((token) => penalties.see(token));
    penalties.apply(values);
    return [...oracle([...values], {})].toSorted(([a], [b]) => a - b).map(([, share]) => share);
  };
  const near = (found: number[], wanted: number[]) =>
    found.forEach((it, i) => assertAlmostEquals(it, wanted[i], 1e-5));
  near(penalised({ repetitionPenalty: 50 }, [0]), [0, 0.25, 0.25, 0.25, 0.25]);
  near(penalised({ repetitionPenalty: 50 }, [0, 1, 2, 0, 0]), [0, 0, 0, 0.5, 0.5]);
  near(penalised({ frequencyPenalty: 5, presencePenalty: 5 }, [0]), [
    ...[0.000011, 0.249997, 0.249997, 0.249997, 0.249997],
  ]);
  near(penalised({ frequencyPenalty: 5, presencePenalty: 5 }, [0, 1, 2]), [
    ...[0.000023, 0.000023, 0.000023, 0.499966, 0.499966],
  ]);
  near(penalised({ frequencyPenalty: 5, presencePenalty: 5 }, [0, 1, 2, 0, 0]), [
    ...[0, 0.000023, 0.000023, 0.499977, 0.499977],
  ]);
});

Deno.test("any samplers together leave what the oracle leaves, with its probabilities", () => {
  const random = randomNumbers(4);
  for (let i = 0; i < 200; i++) {
    const logits = Float32Array.from(
      { length: 1 + Math.floor(random() * 60) },
      () => 8 * random() - 4,
    );
    // Equal logits too.
    if (i % 3 === 0) logits.forEach((it, j) => logits[j] = Math.round(it));
    const options: SamplingOptions = {
      temperature: 0.2 + 2 * random(),
      ...(random() < 0.5 ? { topK: 1 + Math.floor(random() * 20) } : {}),
      ...(random() < 0.5 ? { topP: 0.05 + 0.9 * random() } : {}),
      ...(random() < 0.5 ? { minP: random() } : {}),
    };
    const found = tokenProbabilities(logits, options);
    const wanted = oracle([...logits], options);
    assertEquals(found.map(({ token }) => token), [...wanted.keys()], JSON.stringify(options));
    for (const { token, probability } of found) {
      assertAlmostEquals(probability, wanted.get(token)!, 1e-9);
    }
    // Shares of uniform numbers are the probabilities.
    const sample = sampler(options);
    let at = 0;
    for (const { token, probability } of found) {
      if (probability > 1e-6) assertEquals(sample(logits, at + probability / 2), token);
      at += probability;
    }
    assert(wanted.has(sample(logits, 1 - 2 ** -32)));
  }
});

Deno.test("the temperature is the last sampler: it does not widen what top p and min p keep", () => {
  const logits = Float32Array.from([3, 2, 1, 0]);
  for (const options of [{ topP: 0.8 }, { minP: 0.3 }]) {
    const kept = (temperature: number) =>
      tokenProbabilities(logits, { ...options, temperature }).map(({ token }) => token);
    assertEquals(kept(100), kept(1));
    assertEquals(kept(0.01), kept(1));
    assertEquals(kept(1), [0, 1]);
  }
});

Deno.test("penalties count within their window, as recounting it does", () => {
  const random = randomNumbers(8);
  for (let i = 0; i < 60; i++) {
    const options = {
      repetitionPenalty: 0.5 + random(),
      frequencyPenalty: random() - 0.5,
      presencePenalty: random() - 0.5,
      penaltyWindow: [0, 1, 5, 64, Infinity][i % 5],
    };
    const seen = Array.from({ length: 100 }, () => Math.floor(random() * 12));
    const penalties = new Penalties(options);
    seen.forEach((token) => penalties.see(token));
    const logits = Float32Array.from({ length: 12 }, () => 4 * random() - 2);
    const found = logits.slice();
    penalties.apply(found);
    const { penaltyWindow } = options;
    const recent = penaltyWindow === 0 ? [] : seen.slice(-Math.min(penaltyWindow, seen.length));
    logits.forEach((logit, token) => {
      const count = recent.filter((it) => it === token).length;
      const scaled = logit <= 0
        ? logit * options.repetitionPenalty
        : logit / options.repetitionPenalty;
      const wanted = count === 0
        ? logit
        : scaled - count * options.frequencyPenalty - options.presencePenalty;
      assertAlmostEquals(found[token], wanted, 1e-5);
    });
  }
});

Deno.test("what is out of range is refused by its name", () => {
  const logits = Float32Array.from([1, 2]);
  for (
    const [name, values] of Object.entries({
      temperature: [-1, NaN, Infinity],
      topK: [0, -3, NaN],
      topP: [0, 1.5, NaN],
      minP: [-0.1, 1.01, NaN],
    })
  ) {
    for (const value of values) {
      const error = assertThrows(() => tokenProbabilities(logits, { [name]: value }), RangeError);
      assert(error.message.includes(name), error.message);
      assertThrows(() => sampler({ [name]: value }), RangeError, name);
    }
  }
});
