import { assertEquals } from "@std/assert";
import { bpeModel } from "../../../models/tokenizers/components/tokenizer_bpe.ts";
import { randomNumbers } from "../../support/random_llama.ts";

/** Merges by their definition: of all neighbours the first merge of the list, the leftmost of equal ones. */
function byDefinition(
  word: string,
  merges: readonly (readonly [string, string])[],
  place: (rank: number) => number,
): string[] {
  const parts = [...word];
  while (true) {
    let best = Infinity;
    let at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = merges.findIndex(([left, right]) => left === parts[i] && right === parts[i + 1]);
      if (rank >= 0 && place(rank) < best) [best, at] = [place(rank), i];
    }
    if (at < 0) return parts;
    parts.splice(at, 2, parts[at] + parts[at + 1]);
  }
}

Deno.test("words of every length are merged as the definition says, in the order of the list and in one of their own", () => {
  const random = randomNumbers(7);
  const below = (n: number) => Math.floor(random() * n);
  for (let round = 0; round < 20; round++) {
    const texts = ["a", "b", "c", "d"];
    const merges: [string, string][] = [];
    while (merges.length < 24) {
      const [left, right] = [texts[below(texts.length)], texts[below(texts.length)]];
      if (texts.includes(left + right)) continue;
      merges.push([left, right]);
      texts.push(left + right);
    }
    const vocab = new Map(texts.map((text, id) => [text, id]));
    const order = merges.map(() => below(8));
    const plain = { vocab, merges, fuseUnknown: false, byteFallback: false, ignoreMerges: false };
    const [inOrder, byOrder] = [bpeModel(plain), bpeModel({ ...plain, order })];
    for (let i = 0; i < 40; i++) {
      const word = Array.from({ length: 1 + below(48) }, () => "abcd"[below(4)]).join("");
      const named = (ids: readonly number[]) => ids.map((id) => texts[id]);
      assertEquals(named(inOrder(word)), byDefinition(word, merges, (rank) => rank), word);
      assertEquals(named(byOrder(word)), byDefinition(word, merges, (rank) => order[rank]), word);
    }
  }
});
