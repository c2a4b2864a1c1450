import { assert, assertEquals, assertThrows } from "@std/assert";
import { tokenizerFromJson } from "../../../models/tokenizers/tokenizer.ts";
import { tokenizerFromGguf } from "../../../models/tokenizers/tokenizer_gguf.ts";
import {
  namedPreTokenizers,
  preTokenizerName,
  preTokenizerOf,
} from "../../../models/tokenizers/tokenizer_pre.ts";
import { tokenizerToGguf } from "../../../models/tokenizers/tokenizer_to_gguf.ts";
import { checkRegex } from "../../../models/tokenizers/expressions/tokenizer_regex.ts";
import { realTokenizer } from "./tokenizer_files.ts";
import { mutated, random } from "./tokenizer_mutate.ts";

for (const model of ["reviews-4m", "tinystories-656k"] as const) {
  const files = realTokenizer(model);
  Deno.test({
    name: `${model} through GGUF gives the same ids${
      files ? "" : " (skipped, because ../shared/data is missing)"
    }`,
    ignore: files === undefined,
    fn() {
      const { json, config, text } = files!;
      const tokenizer = tokenizerFromJson(json, config);
      const metadata = tokenizerToGguf(json, config);
      const back = tokenizerFromGguf(metadata);
      // As other readers see it: a SentencePiece model has scores, no merges.
      const scores = new Map(metadata);
      if (model === "tinystories-656k") scores.delete("tokenizer.ggml.merges");
      const byScores = tokenizerFromGguf(scores);
      const lines = [
        ...text.split("\n").filter((line) => line !== "").slice(0, 40),
        "",
        " a  b ",
        "é 1234 \n\n x's",
      ];
      for (const line of lines) {
        const ids = tokenizer.encode(line);
        assertEquals(back.encode(line), ids);
        assertEquals(byScores.encode(line), ids);
        assertEquals(back.decode(ids), tokenizer.decode(ids));
      }
      assertEquals([back.bos, back.eos, back.vocabularySize], [
        tokenizer.bos,
        tokenizer.eos,
        tokenizer.vocabularySize,
      ]);
    },
  });
}

function sentencePiece(): Record<string, unknown> {
  const pieces = [
    "<unk>",
    "<s>",
    "</s>",
    "\u2581",
    "a",
    "b",
    "ab",
    "ba",
    "\u2581a",
    "<0x21>",
    "<tool>",
  ];
  return {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": pieces,
    "tokenizer.ggml.scores": pieces.map((_, id) => -id),
    "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1, 1, 1, 1, 6, 4],
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.unknown_token_id": 0,
  };
}

const load = (entries: unknown) =>
  tokenizerFromGguf(new Map(Object.entries(entries as Record<string, unknown>)));

Deno.test("SentencePiece joins by score, falls back to bytes, and finds tokens of the user", () => {
  const tokenizer = load(sentencePiece());
  // "ab" has the best score; alone it leaves the space behind.
  assertEquals(tokenizer.encode("ab"), [1, 3, 6]);
  assertEquals(tokenizer.encode("aba"), [1, 3, 6, 4]);
  assertEquals(tokenizer.encode("a!"), [1, 8, 9]);
  assertEquals(tokenizer.encode("a<tool>", { addSpecial: false }), [8, 10]);
  assertEquals(tokenizer.encode("z", { addSpecial: false }), [3, 0]);
  const plain = load({ ...sentencePiece(), "tokenizer.ggml.add_space_prefix": false });
  assertEquals(plain.encode("ab a"), [1, 6, 8]);
  const ended = load({
    ...sentencePiece(),
    "tokenizer.ggml.add_bos_token": false,
    "tokenizer.ggml.add_eos_token": true,
  });
  assertEquals(ended.encode("a"), [8, 2]);
});

Deno.test("pre-tokenizers cut as their names say", () => {
  const bytes = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const metadata = (pre: string) => ({
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": pre,
    "tokenizer.ggml.tokens": [...bytes, "\u0120", "12", "34", "123"],
    "tokenizer.ggml.merges": ["1 2", "3 4", "12 3"],
  });
  const words = (pre: string): string[] => {
    const tokenizer = load(metadata(pre));
    return tokenizer.encode("1234").map((id) => tokenizer.decode([id]));
  };
  assertEquals(words("gpt-2"), ["12", "34"]);
  assertEquals(words("llama-bpe"), ["123", "4"]);
  assertEquals(words("qwen2"), ["1", "2", "3", "4"]);
  assertEquals(words("smollm"), ["1", "2", "3", "4"]);
  assertThrows(() => words("gpt-9"), RangeError, "gpt-2");
});

Deno.test("names and pre-tokenizers belong together, and every expression is accepted", () => {
  for (const { names, expressions, spellings } of namedPreTokenizers) {
    for (const source of [...expressions, ...(spellings ?? [])]) checkRegex(source, names[0]);
    const { preTokenizer, ignoreMerges } = preTokenizerOf(names[0]);
    assertEquals(preTokenizerName(preTokenizer, ignoreMerges), names[0]);
  }
  assertEquals(preTokenizerName({ type: "ByteLevel", add_prefix_space: false }, false), "gpt-2");
  assertEquals(preTokenizerName({ type: "Whitespace" }, false), undefined);
});

Deno.test("what GGUF has no form for is refused", () => {
  const model = { type: "WordPiece", vocab: { a: 0 }, unk_token: "a" };
  assertThrows(() => tokenizerToGguf({ model }), TypeError, "WordPiece");
  const bpe = { type: "BPE", vocab: { a: 0 }, merges: [] };
  assertThrows(
    () => tokenizerToGguf({ model: bpe, pre_tokenizer: { type: "Whitespace" } }),
    TypeError,
    "pre-tokenizer",
  );
});

Deno.test("rows of the embedding without a token get names that no text has", () => {
  const model = { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] };
  const metadata = tokenizerToGguf({ model, pre_tokenizer: { type: "ByteLevel" } }, undefined, {
    vocabularySize: 4,
  });
  assertEquals(metadata.get("tokenizer.ggml.tokens"), ["a", "b", "[PAD2]", "[PAD3]"]);
  assertEquals([...metadata.get("tokenizer.ggml.token_type") as Int32Array], [1, 1, 5, 5]);
});

Deno.test("700 damaged GGUF tokenizers load or give a typed error", () => {
  const next = random(3);
  const counts = { loaded: 0, refused: 0 };
  for (let i = 0; i < 700; i++) {
    try {
      const tokenizer = load(mutated(sentencePiece(), next));
      tokenizer.decode(tokenizer.encode("ab ba! <tool>"));
      counts.loaded++;
    } catch (error) {
      const typed = error instanceof TypeError || error instanceof RangeError;
      assert(typed && error.message.startsWith("Cannot "), `mutation ${i}: ${error}`);
      counts.refused++;
    }
  }
  assert(counts.loaded > 50 && counts.refused > 200, JSON.stringify(counts));
});

Deno.test("a very long piece is refused, not split in quadratic time", () => {
  const entries = sentencePiece();
  (entries["tokenizer.ggml.tokens"] as string[])[4] = "a".repeat(100_000);
  assertThrows(() => load(entries), RangeError, "100000 characters");
});

/** BPE over pieces with byte tokens, as Llama 2 and Mistral have it. */
function pieces(parts: Record<string, unknown>): Record<string, unknown> {
  const byte = (i: number) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`;
  const texts = ["<unk>", "<s>", "</s>", ...Array.from({ length: 256 }, (_, i) => byte(i))];
  const merges = [["\u2581", "a"], ["b", "c"], ["\u2581a", "bc"], ["c", "\u2581"]];
  for (const [left, right] of merges) {
    for (const text of [left, right, left + right]) if (!texts.includes(text)) texts.push(text);
  }
  return {
    model: {
      type: "BPE",
      vocab: Object.fromEntries(texts.map((text, id) => [text, id])),
      merges,
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
    },
    added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, special: true })),
    normalizer: null,
    pre_tokenizer: null,
    ...parts,
  };
}

const metaspace = (prepend_scheme: string, split = false) => ({
  type: "Metaspace",
  replacement: "\u2581",
  prepend_scheme,
  split,
});

Deno.test("Metaspace that cuts nothing becomes model llama with its prefix", () => {
  for (const [scheme, prefix] of [["first", true], ["always", true], ["never", false]] as const) {
    const json = pieces({ pre_tokenizer: metaspace(scheme) });
    const metadata = tokenizerToGguf(json, { bos_token: "<s>", add_bos_token: true });
    assertEquals(metadata.get("tokenizer.ggml.model"), "llama");
    assertEquals(metadata.get("tokenizer.ggml.add_space_prefix"), prefix);
    assertEquals(metadata.get("tokenizer.ggml.add_bos_token"), true);
    const tokenizer = tokenizerFromJson(json, { bos_token: "<s>", add_bos_token: true });
    const back = tokenizerFromGguf(metadata);
    for (const text of ["abc", "abc abc  a", "a bc\n\u00e9", "cc abc"]) {
      assertEquals(back.encode(text), tokenizer.encode(text), `${scheme} ${text}`);
      assertEquals(back.decode(back.encode(text)), text);
    }
  }
  for (
    const splitter of [metaspace("first", true), { type: "Metaspace", replacement: "\u2581" }, {
      ...metaspace("first"),
      replacement: "_",
    }]
  ) {
    assertThrows(
      () => tokenizerToGguf(pieces({ pre_tokenizer: splitter })),
      TypeError,
      "Metaspace",
    );
  }
});

Deno.test("what GGUF has no form for is said, or refused", () => {
  const notes: string[] = [];
  const json = pieces({ pre_tokenizer: metaspace("first") });
  json.added_tokens = [{ id: 1, content: "<s>", special: true, lstrip: true }];
  tokenizerToGguf(json, undefined, { onNote: (sentence) => notes.push(sentence) });
  assertEquals(notes.length, 1);
  assert(/"<s>" is lstrip/.test(notes[0]), notes[0]);
  const model = { type: "BPE", vocab: { a: 0 }, merges: [] };
  const byteLevel = { type: "ByteLevel", add_prefix_space: false };
  tokenizerToGguf({ model, pre_tokenizer: byteLevel, normalizer: { type: "NFC" } }, undefined, {
    onNote: (sentence) => notes.push(sentence),
  });
  assert(/NFC/.test(notes[1]), notes[1]);
  assertThrows(
    () => tokenizerToGguf({ model: { ...model, end_of_word_suffix: "</w>" } }),
    TypeError,
    "end_of_word_suffix",
  );
  const twice = { SpecialToken: { id: "a", type_id: 0 } };
  const post_processor = {
    type: "TemplateProcessing",
    single: [twice, twice, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { a: { id: "a", ids: [0], tokens: ["a"] } },
  };
  assertThrows(
    () => tokenizerToGguf({ model, pre_tokenizer: byteLevel, post_processor }),
    TypeError,
    "2 tokens before",
  );
});

Deno.test("a token that the post-processor alone names is the file's BOS, and ends of answers have a place", () => {
  const json = pieces({
    pre_tokenizer: metaspace("first"),
    post_processor: { type: "BertProcessing", cls: ["<s>", 1], sep: ["</s>", 2] },
  });
  const metadata = tokenizerToGguf(json, undefined, { generation: { eos_token_id: [2, 0] } });
  const entry = (name: string) => metadata.get(`tokenizer.ggml.${name}`);
  assertEquals([entry("bos_token_id"), entry("eos_token_id"), entry("eot_token_id")], [1, 2, 0]);
  assertEquals([entry("add_bos_token"), entry("add_eos_token")], [true, true]);
  const back = tokenizerFromGguf(metadata);
  assertEquals([[...back.start], [...back.end], [...back.ends]], [[1], [2], [2, 0]]);
});

Deno.test("BOS where a file does not say, as llama.cpp decides by model and pre-tokenizer", () => {
  const letters = Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i));
  const gpt2 = (pre: string, more: Record<string, unknown> = {}) =>
    load({
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": pre,
      "tokenizer.ggml.tokens": [...letters, "<s>"],
      "tokenizer.ggml.token_type": [...letters.map(() => 1), 3],
      "tokenizer.ggml.merges": [],
      "tokenizer.ggml.bos_token_id": 12,
      ...more,
    });
  const starts = (tokenizer: ReturnType<typeof load>) => [...tokenizer.start];
  for (const pre of ["llama3", "llama-v3", "llama-bpe", "falcon3", "tekken", "chameleon"]) {
    assertEquals(starts(gpt2(pre)), [12], pre);
    assertEquals(starts(gpt2(pre, { "tokenizer.ggml.add_bos_token": false })), [], pre);
  }
  for (const pre of ["gpt-2", "qwen2", "deepseek-v3", "llama4", "default"]) {
    assertEquals(starts(gpt2(pre)), [], pre);
    assertEquals(starts(gpt2(pre, { "tokenizer.ggml.add_bos_token": true })), [12], pre);
  }
  const nameless = gpt2("llama-bpe", { "tokenizer.ggml.bos_token_id": undefined });
  assertEquals([starts(nameless), nameless.notes?.length], [[], 1]);
  // SentencePiece's own ids hold where a file names none.
  const { "tokenizer.ggml.bos_token_id": _, ...spm } = sentencePiece();
  assertEquals(starts(load(spm)), [1]);
});

Deno.test("tokens with the same text are decoded by id, and all are counted", () => {
  const tokenizer = load({
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": ["x", "<s>", "a", "b", "ab", "a"],
    "tokenizer.ggml.token_type": [1, 3, 1, 1, 1, 1],
    "tokenizer.ggml.merges": ["a b"],
  });
  assertEquals(tokenizer.decode([2, 5, 3]), "aab");
  assertEquals(tokenizer.vocabularySize, 6);
  assertEquals(tokenizer.encode("a"), [2]);
  const control = load({
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": ["a", "<s>", "<s>"],
    "tokenizer.ggml.token_type": [1, 3, 3],
    "tokenizer.ggml.merges": [],
  });
  assertEquals(control.encode("a<s>"), [0, 1]);
  assertEquals(control.decode([0, 2, 1], { skipSpecial: false }), "a<s><s>");
  assertEquals(control.decode([0, 2, 1]), "a");
});

Deno.test("entries that llama.cpp does not follow either are noted, those that concern nothing are not", () => {
  const notes = (more: Record<string, unknown>) =>
    tokenizerFromGguf(
      new Map<string, unknown>(Object.entries({
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "a"],
        "tokenizer.ggml.token_type": [2, 3, 3, 1],
        ...more,
      })),
    ).notes ?? [];
  assertEquals(
    notes({
      "tokenizer.ggml.padding_token_id": 0,
      "tokenizer.ggml.remove_extra_whitespaces": false,
    }),
    [],
  );
  for (const [key, value] of [["remove_extra_whitespaces", true], ["surprise", 1]] as const) {
    const [note] = notes({ [`tokenizer.ggml.${key}`]: value });
    assert(note.includes(`tokenizer.ggml.${key}`), note);
  }
});
