import { assert, assertEquals } from "@std/assert";
import { bpeModel } from "../../../models/tokenizers/components/tokenizer_bpe.ts";
import { splitterOf } from "../../../models/tokenizers/components/tokenizer_splits.ts";
import { noHash, WordTable } from "../../../models/tokenizers/components/word_table.ts";
import { tokenizerFromJson } from "../../../models/tokenizers/tokenizer.ts";
import { checkTokenizerJson } from "../../../models/tokenizers/tokenizer_check.ts";
import { namedPreTokenizers } from "../../../models/tokenizers/tokenizer_pre.ts";
import { encodeByWords, wordStart } from "../../../models/tokenizers/tokenizer_words.ts";
import { sampled } from "../../support/sampled.ts";
import { realTokenizer } from "./tokenizer_files.ts";
import { random } from "./tokenizer_mutate.ts";

/** What expressions of pre-tokenizers look at, and what stands beside it. */
const LETTERS = [
  ..."ab Z  é  中7 12 3  .,!?(|)$+<>^~`/ \n\r\t",
  ..."\u00a0\u0301\u200b\u3000\u2581\u0085\ufeffか😀\u0e33\u2009",
  "'s",
  "'ll",
  " '",
  "  ",
  "\r\n",
  "IMGIMGAZ",
];

function texts(seed: number, count: number): string[] {
  const next = random(seed);
  return Array.from({ length: count }, () => {
    const length = 1 + Math.floor(next() * 24);
    return Array.from({ length }, () => LETTERS[Math.floor(next() * LETTERS.length)]).join("");
  });
}

const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated" });

/** Each spelling of a named pre-tokenizer. */
const spelled = namedPreTokenizers.flatMap((entry) =>
  [entry.expressions, ...(entry.spellings ?? []).map((it) => [it])].map((expressions) => ({
    entry,
    cut: {
      type: "Sequence",
      pretokenizers: [...expressions.map(split), { type: "ByteLevel", use_regex: false }],
    },
  }))
);

/** Pieces as numbers: their letters, and where one ends. */
function pieceCodes(cut: unknown): (text: string, first: boolean) => number[] {
  const pieces = splitterOf(cut);
  return (text, first) =>
    pieces([{ text, first }]).flatMap((it) => [...it.text].map((c) => c.codePointAt(0)!).concat(0));
}

/** A tokenizer with this pre-tokenizer, of which nothing else counts. */
function cutBy(pre_tokenizer: unknown) {
  return checkTokenizerJson({ pre_tokenizer, model: { type: "BPE", vocab: { a: 0 }, merges: [] } });
}

Deno.test("words one by one are cut as the whole text is, by every pre-tokenizer that says so", () => {
  const others = [
    { type: "ByteLevel", add_prefix_space: false },
    { type: "Metaspace" },
    { type: "Metaspace", prepend_scheme: "first" },
    { type: "Metaspace", prepend_scheme: "never" },
  ].map((cut) => ({ entry: undefined, cut }));
  let taken = 0;
  for (const { entry, cut } of [...spelled, ...others]) {
    if (wordStart(cutBy(cut)) === undefined) {
      assert(entry?.joinsWords, `${entry?.names[0]} is not taken by words`);
      continue;
    }
    const whole = pieceCodes(cut);
    const byWords = encodeByWords(cutBy(cut), whole);
    taken++;
    for (const text of sampled(`words ${entry?.names[0]}`, texts(7, 1500))) {
      for (const first of [true, false]) {
        assertEquals(
          byWords(text, first),
          whole(text, first),
          JSON.stringify([text, entry?.names]),
        );
      }
    }
  }
  assert(taken > 20, `${taken}`);
});

Deno.test("a pre-tokenizer that is taken as a whole has a text that shows why", () => {
  for (const { entry, cut } of spelled) {
    if (!entry.joinsWords) continue;
    const whole = pieceCodes(cut);
    const asIfGpt2 = encodeByWords(cutBy({ type: "ByteLevel" }), whole);
    const differs = texts(11, 4000).some((text) =>
      String(asIfGpt2(text, true)) !== String(whole(text, true))
    );
    assert(differs, entry.names[0]);
  }
});

/** The merges of a text that is not cut, at random: over spaces only where told. */
function uncut(seed: number, overSpaces: boolean) {
  const next = random(seed);
  const vocab = new Map(["<unk>", "\u2581", "a", "b", "c", "\u2581\u2581"].map((it, i) => [it, i]));
  const merges: [string, string][] = [["\u2581", "\u2581"]];
  while (merges.length < 40) {
    const known = [...vocab.keys()].slice(1);
    const pair = [0, 0].map(() => known[Math.floor(next() * known.length)]);
    const joined = pair.join("");
    const crosses = /[^\u2581]\u2581/.test(joined);
    if (crosses && !overSpaces || vocab.has(joined) || joined.length > 6) continue;
    vocab.set(joined, vocab.size);
    merges.push([pair[0], pair[1]]);
  }
  const model = { type: "BPE", vocab: Object.fromEntries(vocab), merges, unk_token: "<unk>" };
  return { vocab, merges, json: checkTokenizerJson({ model }) };
}

Deno.test("a text that is not cut is taken by words where no merge goes over a space", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { vocab, merges, json } = uncut(seed, false);
    assertEquals(wordStart(json), "\u2581");
    for (const order of [undefined, merges.map((_, i) => i % 5)]) {
      const options = { unknown: "<unk>", fuseUnknown: true, byteFallback: false };
      const model = bpeModel({ vocab, merges, order, ignoreMerges: false, ...options });
      const byWords = encodeByWords(json, model);
      const next = random(seed);
      for (let i = 0; i < 300; i++) {
        const text = Array.from({ length: 30 }, () => "\u2581\u2581aabbc?"[Math.floor(next() * 8)])
          .join("");
        assertEquals(byWords(text, true), [...model(text)], text);
      }
    }
  }
  const crossing = Array.from({ length: 6 }, (_, i) => uncut(i + 1, true).json);
  assert(crossing.some((json) => wordStart(json) === undefined));
  for (const json of crossing) {
    const goes = json.model.merges!.some((it) => /[^\u2581]\u2581/.test(it.join("")));
    assertEquals(wordStart(json) === undefined, goes);
  }
});

Deno.test("a word that comes again is not tokenised again, nor is the beginning that texts share", () => {
  let calls = 0;
  const byWords = encodeByWords(cutBy({ type: "ByteLevel" }), (text) => {
    calls++;
    return [text.length];
  });
  const prompt = "a film that one sees, again and again, and that one knows. It was";
  for (const text of [prompt, `${prompt} great`, `${prompt} terrible`]) byWords(text, true);
  // "again" with and without its comma; "that", "one" and "and" once each, and "a" as the first word.
  assertEquals(calls, new Set(` ${prompt}`.match(/ \S+/g)).size + 2);
  byWords(`so ${prompt}`, true);
  // "so", and "a" within a text.
  assertEquals(calls, new Set(` ${prompt}`.match(/ \S+/g)).size + 4);
});

Deno.test("a text after one with the same beginning has its own tokens", () => {
  const next = random(3);
  const whole = pieceCodes({ type: "ByteLevel" });
  const byWords = encodeByWords(cutBy({ type: "ByteLevel" }), whole);
  let text = "";
  for (let i = 0; i < 3000; i++) {
    // Texts that grow, are cut short, or are others in the middle.
    const at = Math.floor(next() * (text.length + 1));
    text = (text.slice(0, at) + texts(i, 1)[0].slice(0, 4) + text.slice(at + 2)).slice(0, 60);
    assertEquals(byWords(text, i % 7 === 0), whole(text, i % 7 === 0), JSON.stringify(text));
  }
});

Deno.test("a table of words keeps each with its kind, however they meet, and forgets when full", () => {
  const table = new WordTable();
  const append = (word: string, kind: number, hash: number): number[] | undefined => {
    const ids: number[] = [];
    return table.find(ids, 0, word, 0, word.length, kind, hash) < 0 ? undefined : ids;
  };
  table.keep([1, 2], "ab", 0, 2, 0, noHash);
  table.keep([3], "ab", 0, 2, 1, noHash);
  assertEquals([append("ab", 0, noHash), append("ab", 1, noHash)], [[1, 2], [3]]);
  assertEquals(append("ac", 0, noHash), undefined);
  // All of one hash: what finds no place is not kept, and never another word's.
  for (let i = 0; i < 100; i++) table.keep([i], `w${i}`, 0, `w${i}`.length, 0, 5);
  const found = Array.from({ length: 100 }, (_, i) => append(`w${i}`, 0, 5));
  found.forEach((ids, i) => assert(ids === undefined || ids[0] === i));
  assert(found.filter((ids) => ids !== undefined).length >= 10);
  // Two million numbers are 200,000 words; then it begins anew.
  const many = Array.from({ length: 60 }, (_, i) => i);
  for (let i = 0; i < 60_000; i++) table.keep(many, `${i}`, 0, `${i}`.length, 0, i * 30011);
  assertEquals(append("ab", 0, noHash), undefined);
  assertEquals(append("59999", 0, 59_999 * 30011), many);
});

const reviews = realTokenizer("reviews-4m");
Deno.test({
  name: `a real tokenizer gives a text's tokens the first time and the second${
    reviews ? "" : " (skipped, because ../shared/data is missing)"
  }`,
  ignore: reviews === undefined,
  fn() {
    const { json, config, text } = reviews!;
    const tokenizer = tokenizerFromJson(json, config);
    // The added token ends what is remembered of a text; nothing is kept of what stands on its other side.
    for (const line of text.split("\n").slice(0, 8)) {
      const halves = [line.slice(0, 90), line.slice(90)];
      const ids = tokenizer.encode(halves.join("<|endoftext|>"), { addSpecial: false });
      const parts = halves.map((half) =>
        tokenizerFromJson(json, config).encode(half, { addSpecial: false })
      );
      assertEquals(ids, [...parts[0], 0, ...parts[1]]);
      assertEquals(tokenizer.encode(halves.join("<|endoftext|>"), { addSpecial: false }), ids);
    }
  },
});
