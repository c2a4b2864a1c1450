import { assert, assertEquals, assertThrows } from "@std/assert";
import { batchLayout } from "../../kernels/mod.ts";
import { type Example, packBatch } from "../../models/mod.ts";
import { assertBatchFits } from "../../models/batch_fits.ts";
import { exampleCost, roundedCapacity } from "../../models/batch.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { choiceExamples, textExamples } from "./small_model.ts";

/** The tokens that a row sees, oldest first, itself included. */
function seen(words: Uint32Array, at: ReturnType<typeof batchLayout>, row: number): number[] {
  const tokens = [];
  for (let i = words[at.prefixStart + row]; i < words[at.prefixEnd + row]; i++) tokens.push(i);
  for (let i = words[at.ownStart + row]; i <= words[at.slots + row]; i++) tokens.push(i);
  return tokens.map((i) => words[at.tokens + i]);
}

Deno.test("tokens that are no words of the device are refused, not made others", () => {
  for (const token of [-1, 1.5, NaN, Infinity, 2 ** 32]) {
    for (
      const example of [
        { prompt: [1], candidates: [[token]], label: 0 },
        { prompt: [token, 1], candidates: [[2]], label: 0 },
      ]
    ) {
      assertThrows(() => packBatch([example], "language-modelling", 16), RangeError, String(token));
    }
  }
});

Deno.test("every loss row sees exactly the tokens before its target, at their positions", () => {
  const random = randomNumbers(1);
  for (let i = 0; i < 60; i++) {
    const below = (n: number) => Math.floor(random() * n);
    const examples: Example[] = Array.from({ length: 1 + below(6) }, () => {
      const prompt = Array.from({ length: below(6) }, () => 1 + below(99));
      const candidates = Array.from(
        { length: 1 + below(4) },
        () =>
          Array.from({ length: 1 + below(5) + (prompt.length === 0 ? 1 : 0) }, () => 1 + below(99)),
      );
      return { prompt, candidates, label: below(candidates.length) };
    });
    const batch = packBatch(examples, i % 2 ? "classification" : "language-modelling", 16);
    const { words, shape } = batch;
    const at = batchLayout(shape);
    assertEquals(words.length, at.words);
    let lossRow = 0;
    let candidate = 0;
    let tokens = 0;
    examples.forEach(({ prompt, candidates, label }, e) => {
      assertEquals(words[at.exampleStart + e], candidate);
      assertEquals(words[at.labels + e], label);
      for (const own of candidates) {
        assertEquals(words[at.candidateStart + candidate++], lossRow);
        const whole = [...prompt, ...own];
        tokens += whole.length;
        for (let t = Math.max(1, prompt.length); t < whole.length; t++) {
          const row = words[at.lossRows + lossRow];
          assertEquals(words[at.targets + lossRow++], whole[t]);
          assertEquals(seen(words, at, row), whole.slice(0, t));
          assertEquals(words[at.positions + row], t - 1);
          assert(row < batch.rows);
        }
      }
    });
    assertEquals(words[at.candidateStart + candidate], lossRow);
    assertEquals(words[at.exampleStart + examples.length], candidate);
    assertEquals(
      [batch.lossRows, batch.candidates, batch.examples, batch.tokens],
      [lossRow, candidate, examples.length, tokens],
    );
    assertEquals([...words.subarray(at.counts)], [lossRow, candidate, examples.length, i % 2]);
    for (let row = batch.rows; row < shape.rows; row++) {
      assertEquals(seen(words, at, row).length, 1, "padding sees only itself");
    }
  }
});

Deno.test("a batch costs what its examples cost", () => {
  for (const examples of [textExamples(50, [2, 9, 30]), choiceExamples(50, [3, 1, 12])]) {
    const batch = packBatch(examples, "classification", 64);
    const costs = examples.map(exampleCost);
    assertEquals(batch.rows, costs.reduce((sum, c) => sum + c.rows, 0));
    assertEquals(batch.lossRows, costs.reduce((sum, c) => sum + c.lossRows, 0));
  }
});

Deno.test("capacities are few, enough, and at most an eighth too large", () => {
  const capacities = new Set<number>();
  for (let count = 0; count <= 4096; count++) {
    const capacity = roundedCapacity(count, 8);
    assert(capacity >= Math.max(8, count));
    assert(capacity <= Math.max(8, count + 8, count * 1.125), `${capacity} for ${count}`);
    capacities.add(capacity);
  }
  assert(capacities.size <= 64, `${capacities.size} shapes`);
});

Deno.test("examples that cannot be learnt from are refused", () => {
  const refuse = (example: Example, message: string) => {
    assertThrows(() => packBatch([example], "classification", 8), RangeError, message);
  };
  refuse({ prompt: [1], candidates: [], label: 0 }, "without candidates");
  refuse({ prompt: [1], candidates: [[2], [3]], label: 2 }, "label 2 is not one of its 2");
  refuse({ prompt: [1], candidates: [[2]], label: 0.5 }, "label 0.5");
  refuse({ prompt: [1], candidates: [[]], label: 0 }, "needs at least one token");
  refuse({ prompt: [], candidates: [[1]], label: 0 }, "a token before it");
  refuse({ prompt: [1, 2, 3, 4, 5], candidates: [[1], [1, 2, 3, 4]], label: 0 }, "of 9 tokens");
  const fits = { prompt: [1, 2, 3, 4, 5], candidates: [[1], [1, 2, 3]], label: 0 };
  assertEquals(packBatch([fits], "classification", 8).rows, 7);
  const shape = { rows: 6, lossRows: 8, candidates: 2, examples: 1 };
  assertThrows(
    () => packBatch([fits], "classification", 8, shape),
    RangeError,
    "it needs 7 rows, but its shape has 6",
  );
});

Deno.test("a batch that reads beyond a model's tables is refused", () => {
  const batch = packBatch(
    [{ prompt: [1, 2, 3], candidates: [[7, 9]], label: 0 }],
    "classification",
    16,
  );
  assertEquals([batch.highestToken, batch.highestPosition], [9, 3]);
  const fits = (vocabulary: number, maxPositions: number, architecture = "llama") => () =>
    assertBatchFits(batch, { config: { architecture, vocabulary }, maxPositions });
  fits(10, 4)();
  assertThrows(fits(9, 4), RangeError, "token 9");
  assertThrows(fits(10, 3), RangeError, "4 tokens");
  assertThrows(fits(10, 4, "bert"), RangeError, "predicts only masked tokens");
});

Deno.test("masked examples: every row sees its own sequence whole, candidates stand at the masked places", () => {
  const examples: Example[] = [
    { prompt: [5, 9, 6], candidates: [[7], [8]], label: 1, masked: [1] },
    { prompt: [1, 2, 9, 9], candidates: [[3, 4]], label: 0, masked: [2, 3] },
  ];
  assertEquals(exampleCost(examples[0]), { rows: 3, lossRows: 2 });
  assertEquals(exampleCost(examples[1]), { rows: 4, lossRows: 2 });
  const batch = packBatch(examples, "classification", 4, {
    rows: 8,
    lossRows: 4,
    candidates: 3,
    examples: 2,
  });
  const at = batchLayout(batch.shape);
  const list = (from: number, count: number) => [...batch.words.subarray(from, from + count)];
  assertEquals([batch.sees, batch.rows, batch.lossRows, batch.tokens], ["all", 7, 4, 10]);
  assertEquals(list(at.tokens, 7), [5, 9, 6, 1, 2, 9, 9]);
  assertEquals(list(at.positions, 7), [0, 1, 2, 0, 1, 2, 3]);
  assertEquals(list(at.prefixStart, 7), [0, 0, 0, 3, 3, 3, 3]);
  assertEquals(list(at.prefixEnd, 7), [3, 3, 3, 7, 7, 7, 7]);
  // Behind the row itself: no key is of its own alone.
  assertEquals(list(at.ownStart, 7), [1, 2, 3, 4, 5, 6, 7]);
  assertEquals(list(at.lossRows, 4), [1, 1, 5, 6]);
  assertEquals(list(at.targets, 4), [7, 8, 3, 4]);
  assertEquals(list(at.candidateStart, 4), [0, 1, 2, 4]);
  assertThrows(
    () =>
      assertBatchFits(batch, {
        config: { architecture: "llama", vocabulary: 10 },
        maxPositions: 4,
      }),
    RangeError,
    "sees only the tokens before each token",
  );
  const refuse = (change: Partial<Example>, message: string) =>
    assertThrows(
      () => packBatch([{ ...examples[1], ...change }], "language-modelling", 4),
      RangeError,
      message,
    );
  refuse({ masked: [] }, "masked positions []");
  refuse({ masked: [3, 2] }, "masked positions [3,2]");
  refuse({ masked: [2, 4] }, "masked positions [2,4]");
  refuse({ masked: [1.5, 2] }, "masked positions [1.5,2]");
  refuse({ candidates: [[3]] }, "a candidate has 1 tokens for 2 masked positions");
  refuse({ prompt: [1, 2, 9, 9, 1] }, "of 5 tokens: the model's context is 4");
  refuse({ candidates: [[3, 2 ** 32]] }, "a token");
  assertThrows(
    () =>
      packBatch([examples[0], { prompt: [1], candidates: [[2]], label: 0 }], "classification", 8),
    RangeError,
    "1 of its 2 examples have masked tokens",
  );
});

Deno.test("of a conversation the loss is of what is scored, and every row sees all that was said before", () => {
  const random = randomNumbers(9);
  const below = (n: number) => Math.floor(random() * n);
  for (let i = 0; i < 40; i++) {
    const examples = Array.from({ length: 1 + below(5) }, () => {
      const prompt = Array.from({ length: below(5) }, () => 1 + below(99));
      const own = Array.from({ length: 6 + below(20) }, () => 1 + below(99));
      const scored: [number, number][] = [];
      for (let at = prompt.length === 0 ? 1 : 0; at < own.length;) {
        const end = Math.min(own.length, at + 1 + below(4));
        if (below(2) === 0 || scored.length === 0) scored.push([at, end]);
        at = end + 1;
      }
      return { prompt, candidates: [own], label: 0, scored };
    });
    const batch = packBatch(examples, "language-modelling", 64);
    const { words, shape } = batch;
    const at = batchLayout(shape);
    let lossRow = 0;
    for (const { prompt, candidates: [own], scored } of examples) {
      const whole = [...prompt, ...own];
      for (const [first, end] of scored) {
        for (let t = prompt.length + first; t < prompt.length + end; t++) {
          const row = words[at.lossRows + lossRow];
          assertEquals(words[at.targets + lossRow++], whole[t]);
          assertEquals(seen(words, at, row), whole.slice(0, t));
        }
      }
    }
    assertEquals(batch.lossRows, lossRow);
    assertEquals(lossRow, examples.map(exampleCost).reduce((sum, it) => sum + it.lossRows, 0));
  }
  const refuse = (
    scored: Example["scored"],
    prompt: number[] = [1],
    message = "expected ascending",
  ) => {
    const example = { prompt, candidates: [[2, 3, 4]], label: 0, ...scored ? { scored } : {} };
    assertThrows(() => packBatch([example], "language-modelling", 16), RangeError, message);
  };
  refuse([], [1], "covers no token");
  refuse([[0, 4]]);
  refuse([[1, 1]]);
  refuse([[0, 2], [1, 3]]);
  refuse([[0.5, 2]]);
  refuse([[NaN, 2]]);
  refuse([[0, 1]], []);
  const two = { prompt: [1], candidates: [[2], [3]], label: 0, scored: [[0, 1]] as const };
  assertThrows(() => packBatch([two], "classification", 16), RangeError, "several candidates");
});
