import { assert, assertEquals, assertThrows } from "@std/assert";
import { tokenizerFromJson } from "../../models/tokenizers/tokenizer.ts";
import { languageModellingExamples } from "../../tasks/language_modelling.ts";
import { tokeniseExample } from "../../tasks/tokenise.ts";
import { realTokenizer, smallTokenizer } from "../models/tokenizers/tokenizer_files.ts";

const small = tokenizerFromJson(smallTokenizer(), { bos_token: "<s>" });

Deno.test("the shared prompt ends where a merge crosses into a candidate", () => {
  // "a" + "b" is one token, "ab" + "c" too.
  assertEquals(tokeniseExample(small, { prompt: "ca", candidates: ["b", "c"], label: 0 }), {
    prompt: [0, 3],
    candidates: [[5], [1, 3]],
    label: 0,
  });
  assertEquals(tokeniseExample(small, { prompt: "ab", candidates: ["c", "a"], label: 1 }).prompt, [
    0,
  ]);
});

Deno.test("what candidates have in common stays with them", () => {
  const example = tokeniseExample(small, { prompt: "c", candidates: [" abb", " aba"], label: 0 });
  assertEquals(example.prompt, [0, 3]);
  assertEquals(example.candidates, [[8, 2], [8, 1]]);
});

Deno.test("a prompt that is too long loses its beginning and keeps its BOS", () => {
  const rendered = { prompt: "c1c1a", candidates: ["1", "11c"], label: 0 };
  assertEquals(tokeniseExample(small, rendered).prompt, [0, 3, 7, 3, 7, 1]);
  const example = tokeniseExample(small, rendered, { maximumLength: 6 });
  assertEquals(example, { prompt: [0, 7, 1], candidates: [[7], [7, 7, 3]], label: 0 });
  assertEquals(tokeniseExample(small, rendered, { maximumLength: 4 }).prompt, [0]);
  assertThrows(
    () => tokeniseExample(small, rendered, { maximumLength: 3 }),
    RangeError,
    "3 tokens",
  );
  // The post-processor decides, whether or not a configuration names its token.
  const unnamed = tokenizerFromJson(smallTokenizer());
  assertEquals(tokeniseExample(unnamed, rendered, { maximumLength: 5 }).prompt, [0, 1]);
  const bare = tokenizerFromJson({ ...smallTokenizer(), post_processor: null });
  assertEquals(tokeniseExample(bare, rendered, { maximumLength: 5 }).prompt, [7, 1]);
});

Deno.test("a candidate without a token is refused", () => {
  const blank = tokenizerFromJson({
    normalizer: { type: "Replace", pattern: { String: "!" }, content: "" },
    model: { type: "BPE", vocab: { a: 0 }, merges: [] },
  });
  assertThrows(
    () => tokeniseExample(blank, { prompt: "a", candidates: ["a", "!"], label: 0 }),
    RangeError,
    '"!" adds no token',
  );
});

const files = realTokenizer("tinystories-656k");
Deno.test({
  name: `prompt and candidate together are the tokens of the whole text${
    files ? "" : " (skipped, because ../shared/data is missing)"
  }`,
  ignore: files === undefined,
  fn() {
    const tokenizer = tokenizerFromJson(files!.json, files!.config);
    let crossed = 0;
    for (const sentence of files!.text.split(/(?<=\.) /).slice(0, 60)) {
      const rendered = {
        prompt: `${sentence} It was`,
        candidates: [" terrible", " great"],
        label: 1,
      };
      const example = tokeniseExample(tokenizer, rendered);
      for (const [i, candidate] of example.candidates.entries()) {
        const whole = tokenizer.encode(rendered.prompt + rendered.candidates[i]);
        assertEquals([...example.prompt, ...candidate], whole);
      }
      if (example.prompt.length < tokenizer.encode(rendered.prompt).length) crossed++;
    }
    assertEquals(crossed, 60);
  },
});

Deno.test("windows of a stream hold every token once, behind a BOS", () => {
  const tokenizer = tokenizerFromJson(smallTokenizer(), { bos_token: "<s>", eos_token: "b" });
  const examples = languageModellingExamples(tokenizer, ["c1c1", "1c"], { length: 4 });
  assertEquals(examples.map((example) => example.candidates), [[[0, 3, 7, 3]], [[0, 7, 2, 7]], [[
    0,
    3,
  ]]]);
  assert(examples.every((example) => example.prompt.length === 0 && example.label === 0));
});

Deno.test("windows of documents begin with them; too short ones are left out", () => {
  const examples = languageModellingExamples(small, ["c1c1c", "", "1"], {
    length: 4,
    windows: "document",
  });
  assertEquals(examples.map((example) => example.candidates[0]), [[0, 3, 7, 3], [0, 7]]);
  assertThrows(
    () => languageModellingExamples(small, [""], { length: 4 }),
    RangeError,
    "no window",
  );
  assertThrows(
    () => languageModellingExamples(small, ["a"], { length: 1 }),
    RangeError,
    "at least 2",
  );
});
