import { assert, assertEquals, assertThrows } from "@std/assert";
import { tokenizerFromJson } from "../../../models/tokenizers/tokenizer.ts";
import { checkRegex } from "../../../models/tokenizers/expressions/tokenizer_regex.ts";
import { processorTime } from "../../support/processor_time.ts";
import { realTokenizer, smallTokenizer } from "./tokenizer_files.ts";
import { mutated, random } from "./tokenizer_mutate.ts";

const reviews = realTokenizer("reviews-4m");
const stories = realTokenizer("tinystories-656k");
const missing = " (skipped, because ../shared/data is missing)";

Deno.test({
  name: `byte-level BPE gives back real text exactly${reviews ? "" : missing}`,
  ignore: reviews === undefined,
  fn() {
    const { json, config, text } = reviews!;
    const tokenizer = tokenizerFromJson(json, config);
    const part = text.slice(0, 20_000) + " é€😀 \n\n\t x";
    const ids = tokenizer.encode(part);
    assertEquals(ids[0], 0);
    assertEquals(tokenizer.decode(ids), part);
    assertEquals(tokenizer.decode(ids, { skipSpecial: false }), "<|endoftext|>" + part);
    assertEquals([tokenizer.bos, tokenizer.eos, tokenizer.vocabularySize], [0, 0, 4096]);
    // 3.70 characters a token were measured on this text with another implementation.
    const perToken = part.length / ids.length;
    assert(perToken > 3.6 && perToken < 3.8, `${perToken}`);
  },
});

Deno.test({
  name: `BPE without pre-tokenizer merges over spaces${stories ? "" : missing}`,
  ignore: stories === undefined,
  fn() {
    const { json, config, text } = stories!;
    const tokenizer = tokenizerFromJson(json, config);
    const story = text.slice(0, 5_000);
    const ids = tokenizer.encode(story);
    assertEquals([tokenizer.bos, tokenizer.eos, tokenizer.vocabularySize], [1, 2, 2048]);
    assertEquals(tokenizer.decode(ids), story);
    const spelled = tokenizer.encode("She wanted to play and you said", { addSpecial: false })
      .map((id) => tokenizer.decode([tokenizer.encode("a").at(-1)!, id]).slice(1));
    assert(spelled.some((piece) => /\S \S/.test(piece)), JSON.stringify(spelled));
  },
});

Deno.test("a small tokenizer gives the ids that its merges say", () => {
  const tokenizer = tokenizerFromJson(smallTokenizer(), {
    bos_token: "<s>",
    eos_token: { content: "<s>" },
  });
  assertEquals(tokenizer.encode("ABC ab1"), [0, 6, 8, 7]);
  assertEquals(tokenizer.encode("abc", { addSpecial: false }), [6]);
  assertEquals(tokenizer.encode(""), [0]);
  assertEquals(tokenizer.encode("", { addSpecial: false }), []);
  assertEquals(tokenizer.decode([0, 6, 8]), "abc ab");
  assertEquals(tokenizer.decode([]), "");
  assertEquals([tokenizer.bos, tokenizer.eos], [0, 0]);
});

Deno.test("add_bos_token and add_eos_token hold without a post-processor", () => {
  const json = { ...smallTokenizer(), post_processor: null };
  const tokenizer = tokenizerFromJson(json, {
    bos_token: "<s>",
    eos_token: "abc",
    add_bos_token: true,
    add_eos_token: true,
  });
  assertEquals(tokenizer.encode("a"), [0, 1, 6]);
});

Deno.test("ids that no token has give no text, and what is no id is refused", () => {
  const tokenizer = tokenizerFromJson(smallTokenizer());
  assertEquals(tokenizer.decode([1, 999, 2]), "ab");
  assertThrows(() => tokenizer.decode([-1]), RangeError, "-1");
  assertThrows(() => tokenizer.decode([1.5]), RangeError, "1.5");
});

Deno.test("a text without tokens and without a token for the unknown is an error", () => {
  const tokenizer = tokenizerFromJson({
    model: { type: "WordPiece", unk_token: "?", vocab: { a: 0 } },
  });
  assertThrows(() => tokenizer.encode("b"), TypeError, "has no token");
});

Deno.test("the chat template is found in both forms", () => {
  const template = "{{ messages }}";
  const json = smallTokenizer();
  assertEquals(tokenizerFromJson(json, { chat_template: template }).chatTemplate, template);
  const named = [{ name: "tool", template: "x" }, { name: "default", template }];
  assertEquals(tokenizerFromJson(json, { chat_template: named }).chatTemplate, template);
  assertEquals(tokenizerFromJson(json).chatTemplate, undefined);
  // transformers: chat_template.jinja beats what the configuration says.
  const both = tokenizerFromJson(json, { chat_template: "x" }, { chatTemplate: template });
  assertEquals(both.chatTemplate, template);
});

Deno.test("wrong files are refused with the offending value", () => {
  const small = smallTokenizer();
  const model = small.model as Record<string, unknown>;
  const withModel = (change: Record<string, unknown>) => () =>
    tokenizerFromJson({ ...small, model: { ...model, ...change } });
  assertThrows(() => tokenizerFromJson([]), TypeError, "tokenizer.json is an array");
  assertThrows(() => tokenizerFromJson({}), TypeError, "model");
  assertThrows(withModel({ type: "GPT" }), TypeError, '"GPT"');
  assertThrows(withModel({ vocab: { a: 4e9 } }), RangeError, "4000000000");
  assertThrows(withModel({ merges: ["a z"] }), RangeError, '"z"');
  assertThrows(withModel({ merges: ["a b c"] }), TypeError, "merge 0");
  assertThrows(
    () => tokenizerFromJson({ ...small, added_tokens: [{ id: 0, content: "" }] }),
    TypeError,
    "no text",
  );
  assertThrows(
    () => tokenizerFromJson({ ...small, pre_tokenizer: { type: "FixedLength", length: 0 } }),
    RangeError,
    "length",
  );
  assertThrows(() => tokenizerFromJson(small, { bos_token: "<bos>" }), RangeError, "<bos>");
});

Deno.test("expressions of tokenizers in use pass, exponential ones do not", () => {
  const good = [
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+",
    "[^\\r\\n\\p{L}\\p{N}]?((?=[\\p{L}])([^a-z]))*((?=[\\p{L}])([^A-Z]))+|\\p{N}",
    " ?[^(\\s|[.,!?…。，、।۔،])]+",
    "[]a(]+b+",
  ];
  for (const source of good) checkRegex(source, "a test");
  const bad = [
    "(a+)+$",
    "(a|a)*b",
    "(?:a|aa)+b",
    "((a*)b?)*",
    "(a{2,}){9}",
    "(x(a|ab))+",
    "([a(]+)*",
  ];
  for (const source of bad) {
    assertThrows(() => checkRegex(source, "a test"), RangeError, "exponential");
  }
});

Deno.test("1,500 damaged tokenizers load or give a typed error, quickly", () => {
  const next = random(11);
  const counts = { loaded: 0, refused: 0 };
  let slowest = 0;
  for (let i = 0; i < 1500; i++) {
    let json = mutated(smallTokenizer(), next);
    if (next() < 0.3) json = mutated(json, next);
    const start = processorTime();
    try {
      const tokenizer = tokenizerFromJson(
        json,
        next() < 0.5 ? { bos_token: "<s>" } : mutated({ bos_token: "<s>" }, next),
      );
      const ids = tokenizer.encode("abc ab 123  \n aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
      assert(ids.every((id) => id < tokenizer.vocabularySize));
      tokenizer.decode(ids);
      counts.loaded++;
    } catch (error) {
      const typed = error instanceof TypeError || error instanceof RangeError;
      assert(typed && error.message.startsWith("Cannot "), `mutation ${i}: ${error}`);
      counts.refused++;
    }
    slowest = Math.max(slowest, processorTime() - start);
  }
  assert(counts.loaded > 100 && counts.refused > 300, JSON.stringify(counts));
  assert(slowest < 1000, `${slowest} ms`);
});
