import { assertEquals, assertThrows } from "@std/assert";
import {
  bringsStart,
  startText,
  withoutStart,
  withStart,
} from "../../../models/tokenizers/special_tokens.ts";
import { tokenizerFromJson, type TokenizerOptions } from "../../../models/tokenizers/tokenizer.ts";
import { languageModellingExamples } from "../../../tasks/language_modelling.ts";
import { promptTokens, tokeniseExample } from "../../../tasks/tokenise.ts";

const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
const text = { Sequence: { id: "A", type_id: 0 } };
/** Post-processors: what stands around a text. */
const template = (...single: unknown[]) => ({
  type: "TemplateProcessing",
  single,
  pair: [text],
  special_tokens: {
    "<s>": { id: "<s>", ids: [3], tokens: ["<s>"] },
    "</s>": { id: "</s>", ids: [4], tokens: ["</s>"] },
  },
});
const begins = template(special("<s>"), text);
const both = template(special("<s>"), text, special("</s>"));

function around(
  post_processor: unknown,
  config?: Record<string, unknown>,
  options?: TokenizerOptions,
): (number | undefined)[][] {
  const added = ["<s>", "</s>", "<x>"].map((content, i) => ({ id: 3 + i, content, special: true }));
  const tokenizer = tokenizerFromJson(
    {
      model: { type: "BPE", vocab: { a: 0, b: 1, c: 2 }, merges: [] },
      added_tokens: added,
      post_processor,
    },
    config,
    options,
  );
  const { start, end, ends, bos, eos } = tokenizer;
  assertEquals(tokenizer.encode("ab"), [...start, 0, 1, ...end]);
  assertEquals(tokenizer.encode(""), [...start, ...end]);
  assertEquals(tokenizer.encode("ab", { addSpecial: false }), [0, 1]);
  return [[...start], [...end], [bos, eos], [...ends]];
}

Deno.test("the post-processor decides, whether or not a file names its tokens", () => {
  const named = { bos_token: "<s>", eos_token: "</s>" };
  assertEquals(around(begins, named), [[3], [], [3, 4], [4]]);
  assertEquals(around(begins), [[3], [], [3, undefined], []]);
  assertEquals(around(begins, { bos_token: null }), [[3], [], [3, undefined], []]);
  assertEquals(around(both, named), [[3], [4], [3, 4], [4]]);
  assertEquals(around(null, named), [[], [], [3, 4], [4]]);
  assertEquals(around({ type: "ByteLevel" }, named), [[], [], [3, 4], [4]]);
  const bert = { type: "BertProcessing", cls: ["<s>", 3], sep: ["</s>", 4] };
  assertEquals(around(bert).slice(0, 2), [[3], [4]]);
  assertEquals(around({ ...bert, type: "RobertaProcessing" }).slice(0, 2), [[3], [4]]);
  assertEquals(
    around({ type: "Sequence", processors: [begins, { type: "ByteLevel" }] }).slice(0, 2),
    [[3], []],
  );
});

Deno.test("add_bos_token and add_eos_token hold for the classes that honour them", () => {
  const flags = { bos_token: "<s>", eos_token: "</s>", add_bos_token: false, add_eos_token: true };
  for (const name of ["LlamaTokenizer", "LlamaTokenizerFast", "GemmaTokenizer", undefined]) {
    const config = { ...flags, ...(name === undefined ? {} : { tokenizer_class: name }) };
    assertEquals(around(begins, config).slice(0, 2), [[], [4]], String(name));
  }
  for (const name of ["PreTrainedTokenizerFast", "TokenizersBackend", "GPT2Tokenizer"]) {
    const config = { ...flags, tokenizer_class: name };
    assertEquals(around(begins, config).slice(0, 2), [[3], []], name);
  }
  // A flag that is not there leaves its side to the post-processor; without one, Llama's BOS is the default.
  const llama = { bos_token: "<s>", eos_token: "</s>", tokenizer_class: "LlamaTokenizerFast" };
  assertEquals(around(both, { ...llama, add_eos_token: false }).slice(0, 2), [[3], []]);
  assertEquals(around(null, llama).slice(0, 2), [[3], []]);
  assertEquals(around(null, { ...llama, add_bos_token: false }).slice(0, 2), [[], []]);
  // true names nothing where no token is named.
  assertEquals(around(begins, { add_bos_token: true, bos_token: null })[0], [3]);
});

Deno.test("special_tokens_map.json and lists of ids fill in what tokenizer_config.json leaves out", () => {
  const specialTokens = { bos_token: { content: "<s>" }, eos_token: "</s>" };
  assertEquals(around(null, {}, { specialTokens })[2], [3, 4]);
  assertEquals(around(null, { eos_token: "<x>" }, { specialTokens })[2], [3, 5]);
  assertEquals(around(null, { bos_token: null }, { specialTokens })[2], [undefined, 4]);
  const generation = { eos_token_id: [5, 4] };
  assertEquals(around(null, { eos_token: "</s>" }, { generation })[3], [4, 5]);
  assertEquals(around(null, {}, { generation }).slice(2), [[undefined, 5], [5, 4]]);
  const modelConfig = { eos_token_id: 4 };
  assertEquals(around(null, {}, { modelConfig }).slice(2), [[undefined, 4], [4]]);
  assertEquals(around(null, {}, { modelConfig, generation })[3], [5, 4]);
  assertThrows(() => around(null, { bos_token: "<no>" }), RangeError, "<no>");
});

const file = (post_processor: unknown) => ({
  model: { type: "BPE", vocab: { a: 0, b: 1, c: 2 }, merges: [] },
  added_tokens: [
    { id: 3, content: "<s>", special: true },
    { id: 4, content: "</s>", special: true },
  ],
  post_processor,
});

Deno.test("a text that brings its BOS has one, in prompts, chats, examples and windows", () => {
  const tokenizer = tokenizerFromJson(file(begins), { bos_token: "<s>" });
  assertEquals(promptTokens(tokenizer, "ab"), [3, 0, 1]);
  assertEquals(promptTokens(tokenizer, "<s>ab"), [3, 0, 1]);
  assertEquals(promptTokens(tokenizer, "ab<s>"), [3, 0, 1, 3]);
  const example = (prompt: string) =>
    tokeniseExample(tokenizer, { prompt, candidates: ["b", "c"], label: 0 });
  assertEquals(example("<s>a"), example("a"));
  const windows = (text: string) => languageModellingExamples(tokenizer, [text], { length: 8 });
  assertEquals(windows("<s>abc"), windows("abc"));
  assertEquals(withStart(tokenizer, [3, 0]), [3, 0]);
  assertEquals(withStart(tokenizer, [0, 3]), [3, 0, 3]);
  assertEquals(withStart({ start: [] }, [1]), [1]);
  assertEquals([bringsStart({ start: [] }, [1]), bringsStart({ start: [3] }, [])], [false, false]);
  assertEquals(withoutStart(tokenizer, "<s><s>a"), "<s>a");
  assertEquals(startText(tokenizer), "<s>");
  // Nothing is taken from a text where nothing is added.
  const bare = tokenizerFromJson(file(null), { bos_token: "<s>" });
  assertEquals(promptTokens(bare, "<s>ab"), [3, 0, 1]);
  // A chat template's output is tokenised as it is.
  assertEquals(tokenizer.encode("<s>ab", { addSpecial: false }), [3, 0, 1]);
  // A normalizer that puts a prefix before a text does not see the difference either.
  const prefixed = tokenizerFromJson({
    ...file(begins),
    normalizer: { type: "Prepend", prepend: "b" },
    added_tokens: [{ id: 3, content: "<s>", special: true, normalized: true }],
  });
  assertEquals(promptTokens(prefixed, "<s>a"), promptTokens(prefixed, "a"));
});

Deno.test("what stands behind every text ends documents, not prompts", () => {
  const tokenizer = tokenizerFromJson(file(both), { eos_token: "</s>" });
  const ids = (windows: "stream" | "document") =>
    languageModellingExamples(tokenizer, ["ab", "c"], { length: 9, windows })
      .map(({ candidates: [window] }) => window);
  assertEquals(ids("document"), [[3, 0, 1, 4], [3, 2, 4]]);
  assertEquals(ids("stream"), [[3, 0, 1, 4, 2, 4]]);
  assertEquals(promptTokens(tokenizer, "ab"), [3, 0, 1]);
  const example = tokeniseExample(tokenizer, { prompt: "a", candidates: ["b", "c"], label: 0 });
  assertEquals(example.candidates, [[1], [2]]);
  // Without such a token, the one that ends a text stands between documents.
  const plain = tokenizerFromJson(file(begins), { eos_token: "</s>" });
  const [stream] = languageModellingExamples(plain, ["ab", "c"], { length: 9 });
  assertEquals(stream.candidates[0], [3, 0, 1, 4, 2]);
});
