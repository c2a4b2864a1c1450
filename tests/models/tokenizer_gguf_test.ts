import { assert, assertEquals, assertThrows } from "@std/assert";
import { tokenizerFromJson } from "../../models/tokenizer.ts";
import { tokenizerFromGguf } from "../../models/tokenizer_gguf.ts";
import {
  namedPreTokenizers,
  preTokenizerName,
  preTokenizerOf,
} from "../../models/tokenizer_pre.ts";
import { tokenizerToGguf } from "../../models/tokenizer_to_gguf.ts";
import { checkRegex } from "../../models/tokenizer_regex.ts";
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
