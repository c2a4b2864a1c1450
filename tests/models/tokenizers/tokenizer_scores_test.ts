import { assert, assertEquals, assertThrows } from "@std/assert";
import { mergesOfScores } from "../../../models/tokenizers/tokenizer_scores.ts";
import { processorTime } from "../../support/processor_time.ts";
import { randomNumbers } from "../../support/random_llama.ts";

/** Every split of every piece, looked up by its text. */
function plainly(
  tokens: readonly string[],
  mergeable: (id: number) => boolean,
  scores: readonly number[],
): [string, string][] {
  const pieces = new Set(tokens.filter((_, id) => mergeable(id)));
  const ids = tokens.map((_, id) => id).filter(mergeable);
  return ids.sort((a, b) => scores[b] - scores[a] || a - b).flatMap((id) => {
    const letters = Array.from(tokens[id]);
    return letters.map((_, k): [string, string] => [
      letters.slice(0, k).join(""),
      letters.slice(k).join(""),
    ]).filter(([left, right]) => pieces.has(left) && pieces.has(right));
  });
}

Deno.test("merges of scores are every split into two pieces, best scores first, whatever the letters", () => {
  const random = randomNumbers(3);
  const all = ["a", "b", "\u{1F600}", "\u2581", "\0", "\ud83d", "\ude00"];
  for (let count = 2; count <= all.length; count++) {
    const letters = all.slice(0, count);
    const word = () =>
      Array.from(
        { length: 1 + Math.floor(6 * random()) },
        () => letters[Math.floor(count * random())],
      ).join("");
    const tokens = [...letters, ...Array.from({ length: 300 }, word)];
    const scores = tokens.map(() => Math.floor(20 * random()));
    const mergeable = (id: number) => id % 13 !== 5;
    const merges = mergesOfScores(tokens, mergeable, scores);
    assert(merges.length > 50);
    assertEquals(merges, plainly(tokens, mergeable, scores));
  }
});

Deno.test("a vocabulary with scores takes time by its characters: a million tokens within seconds, more than any has is refused", () => {
  const time = (tokens: string[]) => {
    const begun = processorTime();
    const merges = mergesOfScores(tokens, () => true, tokens.map((_, id) => -id));
    return { merges: merges.length, milliseconds: processorTime() - begun };
  };
  // Of 512 letters each: to look up every split by its text would read 2 billion letters.
  const long = Array.from({ length: 2 ** 13 - 1 }, (_, i) => `${i}`.padStart(511, "a"));
  const { merges, milliseconds } = time(["a", ...long]);
  assertEquals(merges, 0);
  assert(milliseconds < 10_000, `${milliseconds} ms`);
  assertThrows(
    () => time([...long, ...long, ...long]),
    RangeError,
    "characters together, at most 8388608",
  );
  assertThrows(() => time(["a".repeat(513)]), RangeError, "has 513 characters, at most 512");
  const every = [""];
  for (let at = 0; every.length < 2 ** 18; at++) every.push(every[at] + "a", every[at] + "b");
  assertThrows(() => time(every.slice(1)), RangeError, "in more than 2097152 ways");
});
