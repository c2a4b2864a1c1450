/**
 * Texts in slices have the tokens of the whole text, whatever the tokenizer and wherever the slices end.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Tokenizer, tokenizerFromJson } from "../../models/mod.ts";
import { encodeLong, encodeStream } from "../../tasks/long_text.ts";
import { Pause } from "../../tasks/pause.ts";
import { random } from "../models/tokenizers/tokenizer_mutate.ts";
import { realTokenizer, smallTokenizer } from "../models/tokenizers/tokenizer_files.ts";

const letters = [..."abc1 \n"];
const numbered = (tokens: readonly string[]) =>
  Object.fromEntries(tokens.map((token, id) => [token, id]));

/** Merges across words and lines, so that many places are no cuts. */
function crossing(): Tokenizer {
  const merges = [
    ["a", "b"],
    ["b", "\n"],
    ["\n", "a"],
    ["c", " "],
    [" ", "a"],
    ["ab", "\n"],
    ["ab", "c"],
    ["1", "1"],
    ["11", "1"],
    ["\n", "\n"],
  ];
  const made = merges.map((pair) => pair.join(""));
  return tokenizerFromJson({
    model: { type: "BPE", vocab: numbered([...letters, ...made]), merges },
    decoder: { type: "Fuse" },
  });
}

/** Metaspace, as Llama 2 has it: a mark before the text, and words that keep theirs. */
function metaspace(): Tokenizer {
  const vocab = numbered(["\u2581", ...letters, "ab", "\u2581a", "\u2581ab", "bc", "1\u2581"]);
  return tokenizerFromJson({
    model: {
      type: "BPE",
      vocab,
      merges: ["a b", "\u2581 a", "\u2581 ab", "b c", "1 \u2581"],
    },
    pre_tokenizer: {
      type: "Metaspace",
      replacement: "\u2581",
      prepend_scheme: "first",
      split: false,
    },
    decoder: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "first", split: false },
  });
}

function bytes(): Tokenizer {
  const json = smallTokenizer();
  const model = json.model as Record<string, unknown>;
  return tokenizerFromJson({
    ...json,
    model: { ...model, vocab: { ...(model.vocab as object), "\u010a": 9 } },
  });
}

const tokenizers: [string, Tokenizer][] = [
  ["merges across words", crossing()],
  ["Metaspace", metaspace()],
  ["numbers by threes", bytes()],
];
for (const model of ["tinystories-656k", "reviews-4m"] as const) {
  const files = realTokenizer(model);
  if (files) tokenizers.push([model, tokenizerFromJson(files.json, files.config)]);
}

function randomText(next: () => number, length: number): string {
  let text = "";
  // Runs of one letter are where places are hard to find.
  while (text.length < length) {
    const letter = letters[Math.floor(next() * letters.length)];
    text += letter.repeat(next() < 0.05 ? Math.ceil(next() * 900) : Math.ceil(next() * 3));
  }
  return text;
}

for (const [name, tokenizer] of tokenizers) {
  Deno.test(`long texts: the whole text's tokens: ${name}`, async () => {
    const next = random(11);
    for (let i = 0; i < 12; i++) {
      const text = randomText(next, 3000 + 3000 * next());
      const whole = tokenizer.encode(text, { addSpecial: false });
      for (const slice of [300, 777, 2048]) {
        assertEquals(await encodeLong(tokenizer, text, { slice }), whole, `seed 11, text ${i}`);
      }
    }
  });
}

const files = realTokenizer("tinystories-656k");
Deno.test({
  name: `long texts: stories in slices${
    files ? "" : " (skipped, because ../shared/data is missing)"
  }`,
  ignore: files === undefined,
  async fn() {
    const tokenizer = tokenizerFromJson(files!.json, files!.config);
    const texts = [
      files!.text.slice(0, 60_000),
      files!.text.slice(0, 30_000).replaceAll(/\s/g, ""),
      "\u{1f600}e\u0301 \u05d0\u05d1 ".repeat(3000),
    ];
    for (const text of texts) {
      assertEquals(
        await encodeLong(tokenizer, text),
        tokenizer.encode(text, { addSpecial: false }),
      );
    }
  },
});

Deno.test("long texts: a stream of pieces; stopped between slices", async () => {
  const tokenizer = crossing();
  const text = randomText(random(2), 20_000);
  const pieces = text.match(/[^]{1,1000}/g)!;
  const ids: number[] = [];
  let parts = 0;
  for await (const part of encodeStream(tokenizer, pieces, { slice: 1000 })) {
    parts++;
    ids.push(...part);
  }
  assertEquals(ids, tokenizer.encode(text, { addSpecial: false }));
  assert(parts > 8, `${parts} parts`);
  const controller = new AbortController();
  const seen: number[] = [];
  const stopped = encodeLong(tokenizer, text, {
    slice: 1000,
    pause: new Pause(controller.signal, 0),
    onProgress: (characters) => {
      seen.push(characters);
      controller.abort();
    },
  });
  await assertRejects(() => stopped, DOMException);
  assertEquals(seen.length, 1);
});
