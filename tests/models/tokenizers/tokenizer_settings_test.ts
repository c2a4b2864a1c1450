import { assert, assertEquals, assertThrows } from "@std/assert";
import { tokenizerFromJson, type TokenizerOptions } from "../../../models/tokenizers/tokenizer.ts";
import { noTokenizer } from "../../../models/checkpoints/disk/no_tokenizer.ts";
import { tokenizerToGguf } from "../../../models/tokenizers/tokenizer_to_gguf.ts";

// Right values: the Rust library (npm tokenizers 0.23.2), of a tokenizer.json into which the other files' words were put by hand.

const vocab = Object.fromEntries(
  [
    ...["<unk>", "<s>", "</s>", "\u2581", "a", "b", "<", "s", ">", "/", "|", "x", "\u2581a", " "],
    ...["\u0120", "\u0120a", "u", "n", "k", "A"],
  ].map((text, id) => [text, id]),
);
const token = (id: number, content: string, more: Record<string, unknown> = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...more,
});
const flags = ({ id: _, ...rest }: ReturnType<typeof token>) => rest;
const json = (parts: Record<string, unknown> = {}) => ({
  model: { type: "BPE", unk_token: "<unk>", vocab, merges: ["\u2581 a", "\u0120 a"] },
  ...parts,
});
const replace = { type: "Replace", pattern: { String: " " }, content: "\u2581" };
const prepend = { type: "Prepend", prepend: "\u2581" };
const metaspace = (prepend_scheme: string) => ({
  type: "Metaspace",
  replacement: "\u2581",
  prepend_scheme,
  split: false,
});
const byteLevel = (add_prefix_space: boolean) => ({ type: "ByteLevel", add_prefix_space });
const bert = (lowercase: boolean) => ({
  type: "BertNormalizer",
  clean_text: true,
  handle_chinese_chars: true,
  strip_accents: null,
  lowercase,
});

const strip = (left: boolean) => ({ type: "Strip", strip_left: left, strip_right: true });
const taking = (more: Record<string, unknown> = {}) => ({
  added_tokens: [token(20, "<x>", { rstrip: true }), token(21, "  ", more)],
});

interface Case {
  readonly parts?: Record<string, unknown>;
  readonly config?: Record<string, unknown>;
  readonly options?: TokenizerOptions;
  readonly text: string;
  readonly ids: readonly number[];
  readonly note?: string;
}

const decoder = {
  "20": flags(token(20, "<x>")),
  "21": { ...flags(token(21, "<|a|>", { rstrip: true })), __type: "AddedToken" },
};
const cases: Readonly<Record<string, Case>> = {
  "added_tokens_decoder adds what tokenizer.json lacks": {
    config: { added_tokens_decoder: decoder },
    text: "a<x>b<|a|> a",
    ids: [4, 20, 5, 21, 4],
  },
  "its ids are the next free ones, whatever it says": {
    config: { added_tokens_decoder: { "40": decoder["20"], "41": decoder["21"] } },
    text: "a<x>b<|a|> a",
    ids: [4, 20, 5, 21, 4],
    note: '"<x>" is 20',
  },
  "its flags hold over those of tokenizer.json": {
    parts: { added_tokens: [token(1, "<s>")] },
    config: { added_tokens_decoder: { "1": flags(token(1, "<s>", { lstrip: true })) } },
    text: "a <s>b",
    ids: [4, 1, 5],
  },
  "added_tokens.json where there is none": {
    options: { addedTokens: { "<|a|>": 21, "<x>": 20 } },
    text: "a<x>b<|a|>a",
    ids: [4, 20, 5, 21, 4],
  },
  "added_tokens.json beside it is of older versions": {
    config: { added_tokens_decoder: {} },
    options: { addedTokens: { "<x>": 20 } },
    text: "<x>",
    ids: [6, 11, 8],
  },
  "tokens with a role are found as a whole": {
    config: { bos_token: "<s>", eos_token: { content: "</s>", lstrip: false } },
    text: "a<s>b</s>",
    ids: [4, 1, 5, 2],
  },
  "also by special_tokens_map.json": {
    options: { specialTokens: { bos_token: "<s>", eos_token: "</s>" } },
    text: "a<s>b</s>",
    ids: [4, 1, 5, 2],
  },
  "lists of roles add tokens": {
    config: { additional_special_tokens: ["<x>", "<|a|>"] },
    text: "<|a|><x>",
    ids: [21, 20],
  },
  "a padding token without a row is not made": {
    config: { pad_token: "<x>" },
    text: "<x>",
    ids: [6, 11, 8],
  },
  "ids with a gap": {
    parts: { added_tokens: [token(40, "<x>"), token(30, "<|a|>")] },
    text: "a<x><|a|>b",
    ids: [4, 20, 21, 5],
    note: '"<x>" is 20, "<|a|>" is 21',
  },
  "an id that another token has": {
    parts: { added_tokens: [token(4, "<x>"), token(21, "<|a|>"), token(22, "<|a|>")] },
    text: "a<x><|a|>",
    ids: [4, 20, 21],
    note: "tokenizer.json",
  },
  "split_special_tokens": {
    parts: { added_tokens: [token(1, "<s>"), token(20, "<x>", { special: false })] },
    config: { split_special_tokens: true },
    text: "a<s><x>",
    ids: [4, 6, 7, 8, 20],
  },
  "GPT-2's class puts the space in front by its configuration": {
    parts: { pre_tokenizer: byteLevel(false) },
    config: { tokenizer_class: "GPT2Tokenizer", add_prefix_space: true },
    text: "a a",
    ids: [15, 15],
  },
  "and none where that does not say": {
    parts: { pre_tokenizer: byteLevel(true) },
    config: { tokenizer_class: "GPT2TokenizerFast" },
    text: "a a",
    ids: [4, 15],
  },
  "another class does not look": {
    parts: { pre_tokenizer: byteLevel(false) },
    config: { tokenizer_class: "PreTrainedTokenizerFast", add_prefix_space: true },
    text: "a a",
    ids: [4, 15],
    note: "add_prefix_space true",
  },
  "Llama without a word's beginning": {
    parts: { normalizer: { type: "Sequence", normalizers: [prepend, replace] } },
    config: { tokenizer_class: "LlamaTokenizer", add_prefix_space: false },
    text: "a a",
    ids: [4, 12],
  },
  "Llama with one": {
    parts: { normalizer: replace },
    config: { tokenizer_class: "LlamaTokenizerFast", add_prefix_space: true },
    text: "a a",
    ids: [12, 12],
  },
  "Metaspace without": {
    parts: { pre_tokenizer: metaspace("first") },
    config: { tokenizer_class: "LlamaTokenizer", add_prefix_space: false },
    text: "a a",
    ids: [4, 12],
  },
  "Metaspace with": {
    parts: { pre_tokenizer: metaspace("never") },
    config: { tokenizer_class: "LlamaTokenizer", add_prefix_space: true },
    text: "a a",
    ids: [12, 12],
  },
  "null says nothing": {
    parts: { pre_tokenizer: metaspace("first") },
    config: { tokenizer_class: "LlamaTokenizer", add_prefix_space: null },
    text: "a a",
    ids: [12, 12],
  },
  "a tokenizer of bytes is none of Llama's, whatever its class is called": {
    parts: { pre_tokenizer: byteLevel(false) },
    config: { tokenizer_class: "LlamaTokenizerFast", add_prefix_space: false, legacy: true },
    text: "a a",
    ids: [4, 15],
  },
  "a token within the space that another took along counts too": {
    parts: taking(),
    text: "<x>     <x>",
    ids: [20, 21, 21, 13, 20],
  },
  "and what is behind it is text again": {
    parts: taking(),
    text: "<x>   a",
    ids: [20, 21, 13, 4],
  },
  "unless that takes it along as well": {
    parts: taking({ rstrip: true }),
    text: "<x>   a",
    ids: [20, 21, 4],
  },
  "one that takes the space before it is empty there": {
    parts: taking({ lstrip: true }),
    text: "a<x>  b",
    ids: [4, 20, 5],
  },
  "Metaspace puts nothing before a word whose beginning was taken away": {
    parts: { normalizer: strip(true), pre_tokenizer: metaspace("first") },
    text: " a a",
    ids: [4, 12],
  },
  "and does where it was not": {
    parts: { normalizer: strip(false), pre_tokenizer: metaspace("first") },
    text: " a ",
    ids: [12],
  },
  "control characters are taken away as well": {
    parts: { normalizer: { type: "Nmt" }, pre_tokenizer: metaspace("first") },
    text: "\u0001a",
    ids: [4],
  },
  "a beginning that becomes another is still there": {
    parts: {
      normalizer: {
        type: "Sequence",
        normalizers: [{ type: "Replace", pattern: { Regex: "x+" }, content: "a" }, {
          type: "Lowercase",
        }],
      },
      pre_tokenizer: metaspace("first"),
    },
    text: "xAa",
    ids: [12, 4, 4],
  },
  "BERT's class lowers by its configuration": {
    parts: { normalizer: bert(false) },
    config: { tokenizer_class: "BertTokenizer", do_lower_case: true },
    text: "Aa",
    ids: [4, 4],
  },
  "or keeps": {
    parts: { normalizer: bert(true) },
    config: { tokenizer_class: "BertTokenizerFast", do_lower_case: false },
    text: "Aa",
    ids: [19, 4],
  },
};

for (const [name, { parts, config, options, text, ids, note }] of Object.entries(cases)) {
  Deno.test(`tokenizer settings: ${name}`, () => {
    const tokenizer = tokenizerFromJson(json(parts), config, options);
    assertEquals(tokenizer.encode(text, { addSpecial: false }), [...ids]);
    const notes = (tokenizer.notes ?? []).join("\n");
    if (note === undefined) assertEquals(notes, "");
    else assert(notes.includes(note), notes);
  });
}

Deno.test("tokenizer settings: what is no setting is refused by name", () => {
  for (
    const [config, message] of [
      [{ added_tokens_decoder: [] }, "added_tokens_decoder"],
      [{ added_tokens_decoder: { x: { content: "<x>" } } }, "<x>"],
      [{ added_tokens_decoder: { "20": { content: "<x>", lstrip: 1 } } }, "lstrip"],
      [{ split_special_tokens: "yes" }, "split_special_tokens"],
      [{ add_prefix_space: 1 }, "add_prefix_space"],
      [{ add_bos_token: "true" }, "add_bos_token"],
      [{ additional_special_tokens: "<x>" }, "special tokens"],
    ] as const
  ) {
    const error = assertThrows(() => tokenizerFromJson(json(), config));
    assert(error instanceof TypeError || error instanceof RangeError);
    assert(error.message.includes(message), error.message);
  }
});

Deno.test("tokenizer settings: a GGUF file gets the tokens of the other files too", () => {
  const parts = {
    pre_tokenizer: byteLevel(false),
    added_tokens: [token(0, "<unk>")],
  };
  const config = { bos_token: "<s>", added_tokens_decoder: { "20": flags(token(20, "<x>")) } };
  const metadata = tokenizerToGguf(json(parts), config);
  const [tokens, types] = ["tokens", "token_type"].map((it) =>
    metadata.get(`tokenizer.ggml.${it}`)
  ) as [
    string[],
    Int32Array,
  ];
  assertEquals([tokens[20], types[20], types[1], types[2]], ["<x>", 3, 3, 1]);
});

Deno.test("tokenizer settings: another version is refused, parts that nobody reads are noted", () => {
  assertThrows(() => tokenizerFromJson(json({ version: "2.0" })), RangeError, '"2.0"');
  assertEquals(tokenizerFromJson(json({ version: "1.0", role_to_token: null })).notes, undefined);
  assert(tokenizerFromJson(json({ surprise: 1 })).notes?.[0].includes('"surprise"'));
});

Deno.test("tokenizer settings: a folder without tokenizer.json says what it has in its place, and what to do", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const says = (...parts: string[]) => {
      const { message } = noTokenizer(folder);
      for (const part of parts) assert(message.includes(part), message);
    };
    says(`Cannot tokenise for "${folder}"`, "Put the tokenizer.json");
    for (
      const [file, form] of [
        ["tokenizer.model", "SentencePiece's"],
        ["tekken.json", "Mistral's"],
        ["qwen.tiktoken", "tiktoken's"],
        ["vocab.json", "an older form"],
      ]
    ) {
      await Deno.writeTextFile(`${folder}/${file}`, "");
      says(`${file} (${form})`, "save_pretrained");
    }
    assert(noTokenizer(`${folder}/tekken.json`).message.includes("tokenizer.ggml"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
