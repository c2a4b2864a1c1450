/**
 * Examples in tokens as bytes: what comes back is what was written, and a damaged file is an error of its type.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { TaskExamples } from "../../../train/mod.ts";
import { packExamples, unpackExamples } from "../../../train/runs/packed_examples.ts";
import { randomNumbers } from "../../support/random_llama.ts";

const bounds = { vocabularySize: 100_000, length: 16 };

/** Examples with tokens below `tokens`. */
function examplesOf(tokens: number, count = 40): TaskExamples {
  const random = randomNumbers(3);
  const below = (most: number) => Math.floor(random() * most);
  const ids = (length: number) => Array.from({ length }, () => below(tokens));
  const set = (count: number) =>
    Array.from({ length: count }, () => {
      const candidates = Array.from({ length: 1 + below(3) }, () => ids(1 + below(4)));
      return { prompt: ids(below(12)), candidates, label: below(candidates.length) };
    });
  return {
    objective: "classification",
    train: { examples: set(count), characters: 12 },
    validation: { examples: set(3) },
    test: { examples: set(2) },
    notes: ["caf\u00e9: 3 of 40 examples are long"],
  };
}

Deno.test("examples come back as they were, in two bytes a number and in four", () => {
  const [small, large] = [examplesOf(2 ** 16), examplesOf(100_000)];
  const [two, four] = [packExamples(small)!, packExamples(large)!];
  assertEquals(unpackExamples(two, bounds), small);
  assertEquals(unpackExamples(four, bounds), large);
  assert(four.length > 1.7 * two.length, `${two.length} and ${four.length} bytes`);
  // Bytes that begin anywhere in a buffer.
  const shifted = new Uint8Array(four.length + 3);
  shifted.set(four, 3);
  assertEquals(unpackExamples(shifted.subarray(3), bounds), large);
  const { notes: _, test: __, ...less } = small;
  const bare = { ...less, train: { examples: [] }, validation: { examples: [] } };
  assertEquals(unpackExamples(packExamples(bare)!, bounds), bare);
});

Deno.test("ranges that are scored come back, and are ranges of their candidate", () => {
  const example = (
    scored: readonly (readonly [number, number])[],
    candidates = [[5, 6, 7, 8]],
  ) => ({
    objective: "language-modelling" as const,
    train: { examples: [{ prompt: [1, 2], candidates, label: 0, scored }] },
    validation: { examples: [] },
  });
  for (const ranges of [[], [[0, 4]], [[0, 1], [2, 4]]] as const) {
    const examples = example(ranges);
    assertEquals(unpackExamples(packExamples(examples)!, bounds), examples);
  }
  for (const ranges of [[[0, 5]], [[2, 2]], [[1, 3], [2, 4]]] as const) {
    const bytes = packExamples(example(ranges))!;
    assertThrows(() => unpackExamples(bytes, bounds), RangeError, "outside its candidate");
  }
  const two = packExamples(example([[0, 1]], [[1], [2]]))!;
  assertThrows(() => unpackExamples(two, bounds), RangeError, "span several candidates");
});

Deno.test("an example that holds more than tokens and a label is not written down", () => {
  const examples = examplesOf(100);
  const [first, ...rest] = examples.train.examples;
  const more = { ...examples, train: { examples: [{ ...first, weight: 2 }, ...rest] } };
  assertEquals(packExamples(more), undefined);
  const ofSet = { ...examples, validation: { ...examples.validation, weights: [1, 2, 3] } };
  assertEquals(packExamples(ofSet), undefined);
  assertEquals(packExamples({ ...examples, chat: true } as TaskExamples), undefined);
});

Deno.test("a token, a length or a label out of bounds is refused", () => {
  const packed = packExamples(examplesOf(100_000))!;
  const refused = (bounds: Parameters<typeof unpackExamples>[1], said: string) =>
    assertThrows(() => unpackExamples(packed, bounds), RangeError, said);
  refused({ ...bounds, vocabularySize: 90_000 }, "beyond the vocabulary");
  refused({ ...bounds, length: 8 }, "too long");
  const bytes = packExamples({
    objective: "classification",
    train: { examples: [{ prompt: [], candidates: [[1]], label: 1 }] },
    validation: { examples: [] },
  })!;
  assertThrows(() => unpackExamples(bytes, bounds), RangeError, "not belong to any candidate");
});

Deno.test("cut anywhere it is refused, changed anywhere it is refused or within its bounds", () => {
  const packed = packExamples(examplesOf(2 ** 16, 6))!;
  for (let length = 0; length < packed.length; length++) {
    assertThrows(() => unpackExamples(packed.slice(0, length), bounds), RangeError);
  }
  let taken = 0;
  for (let at = 0; at < packed.length; at++) {
    for (const flip of [1, 0x80, 0xff]) {
      const bytes = packed.slice();
      bytes[at] ^= flip;
      let found: TaskExamples;
      try {
        found = unpackExamples(bytes, bounds);
      } catch (error) {
        assert(error instanceof RangeError, `byte ${at}: ${error}`);
        continue;
      }
      taken++;
      for (const set of [found.train, found.validation, found.test]) {
        for (const { prompt, candidates, label } of set?.examples ?? []) {
          assert(label < candidates.length);
          const longest = Math.max(...candidates.map((ids) => ids.length));
          assert(prompt.length + longest <= bounds.length);
          assert([prompt, ...candidates].flat().every((id) => id < bounds.vocabularySize));
        }
      }
    }
  }
  assert(taken > 0);
});
