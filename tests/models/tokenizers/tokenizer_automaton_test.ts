import { SplitPreTokenizer } from "@huggingface/tokenizers";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  matchesOf,
  programOf,
} from "../../../models/tokenizers/expressions/tokenizer_automaton.ts";
import { parseExpression } from "../../../models/tokenizers/expressions/tokenizer_expression.ts";
import { namedPreTokenizers } from "../../../models/tokenizers/tokenizer_pre.ts";
import { tokenizerFromJson } from "../../../models/tokenizers/tokenizer.ts";
import { processorTime } from "../../support/processor_time.ts";
import { seededTexts } from "../../support/vectors/seeded_texts.ts";

/** As the engine translates an expression of a file. */
function translated(Regex: string): RegExp {
  const split = { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false } as const;
  return new SplitPreTokenizer(split).pattern!;
}

const own = [
  "a",
  "",
  "a*",
  "a*?b|a",
  "(?:a|ab)(?:c|bcd)?",
  "a{2,3}|b{2}?",
  "[^\\s\\p{L}]+(?!\\S)",
  "(?<=a)b|(?<!a)f",
  "^.|.$",
  "\\bf\\w+\\b",
  "(?<name>fi|f)lm",
  "x*y*z*",
  "(?i:film)|\\n\\z",
  "\\u{1F600}|\\x61|[\\u4e00-\\u9fff]+",
  "(?=(?:\\d{3})+(?!\\d))",
  "\\d{1,3}(?=(?:\\d{3})*\\b)",
];

Deno.test("what is found is what a backtracking engine finds, for every known expression and for odd ones", () => {
  const texts = seededTexts(250, 31);
  const expressions = namedPreTokenizers.flatMap((
    it,
  ) => [...it.expressions, ...it.spellings ?? []]);
  for (const source of [...new Set([...expressions, ...own])]) {
    if (source === "") continue;
    const expression = translated(source);
    const program = programOf(parseExpression(expression.source, "a test"), "a test");
    for (const text of texts) {
      assertEquals(
        [...matchesOf(program, text, "a test")],
        [...text.matchAll(expression)].map((it) => [it.index, it.index + it[0].length]),
        `${source} on ${JSON.stringify(text)}`,
      );
    }
  }
});

const model = { type: "BPE", vocab: { a: 0, " ": 1, b: 2 }, merges: [] };
const splitting = (Regex: string) =>
  tokenizerFromJson({
    model,
    pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
  });

Deno.test("expressions that take a backtracking engine for ever answer within a second, or say so", () => {
  const hard: [string, string][] = [
    ["\\s*\\s*\\s*\\s*\\s*\\s*x", " ".repeat(2000)],
    ["a*a*a*a*b", "a".repeat(2000)],
    ["a?".repeat(60) + "a".repeat(60) + "b", "a".repeat(600)],
    ["(?:(?:(?:a|a){8}){8}){8}b", "a".repeat(100)],
    ["(?:a+)?(?:a+)?(?:a+)?(?:a+)?(?:a+)?b", "a".repeat(2000)],
    ["a*b|a", "a".repeat(5000)],
    ["a*b|a", "a".repeat(50_000)],
  ];
  for (const [expression, text] of hard) {
    const start = processorTime();
    let answer: number[] | undefined;
    try {
      answer = splitting(expression).encode(text);
    } catch (error) {
      assert(
        error instanceof RangeError && /takes too long|exponential/.test(error.message),
        `${error}`,
      );
    }
    const time = processorTime() - start;
    assert(time < 5000, `${expression}: ${time} ms`);
    if (answer !== undefined) assertEquals(answer.length, text.length, expression);
  }
  // A replacement and a decoder run the same expressions.
  const replacing = tokenizerFromJson({
    model,
    normalizer: { type: "Replace", pattern: { Regex: "a*a*a*a*b" }, content: "" },
  });
  assertEquals(replacing.encode("a".repeat(1000)).length, 1000);
});

Deno.test("what cannot be run in bounded time is refused when it is loaded", () => {
  for (const expression of ["(a)\\1", "(?<=a+)b", "(?:a{300}){300}"]) {
    assertThrows(() => splitting(expression), RangeError, "Cannot ");
  }
});

Deno.test("a long text is cut by an expression of a file's own in seconds", () => {
  const expression =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,2}| ?[^\\s\\p{L}\\p{N}]+|\\s+";
  const tokenizer = splitting(expression);
  const start = processorTime();
  tokenizer.encode("ab a b".repeat(40_000));
  tokenizer.encode("a".repeat(400_000));
  assert(processorTime() - start < 10_000, `${processorTime() - start} ms`);
});

Deno.test("what grows a text beyond measure is refused", () => {
  const doubling = { type: "Replace", pattern: { String: "a" }, content: "aa" };
  const many = Array.from({ length: 32 }, () => doubling);
  const tokenizer = tokenizerFromJson({
    model,
    normalizer: { type: "Sequence", normalizers: many },
  });
  assertThrows(() => tokenizer.encode("baab"), RangeError, "expands the text");
  const decoder = tokenizerFromJson({ model, decoder: { type: "Sequence", decoders: many } });
  assertThrows(() => decoder.decode([0, 2]), RangeError, "expands the text");
  const long = "a".repeat(20_000_000);
  const load = (parts: Record<string, unknown>) => () => tokenizerFromJson({ model, ...parts });
  assertThrows(load({ normalizer: { type: "Prepend", prepend: long } }), RangeError, "prepend");
  assertThrows(
    load({ normalizer: { type: "Replace", pattern: { String: "a" }, content: long } }),
    RangeError,
    "content",
  );
  const single = Array.from({ length: 10_000 }, () => ({ Sequence: { id: "A", type_id: 0 } }));
  const post_processor = { type: "TemplateProcessing", single, pair: [], special_tokens: {} };
  assertThrows(load({ post_processor }), RangeError, "10000 times");
});
