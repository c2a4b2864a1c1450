import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { type Tokenizer, tokenizerFromJson } from "../../../models/tokenizers/tokenizer.ts";
import { bytesAsLetters } from "../../../models/tokenizers/components/tokenizer_bytes.ts";
import { tokenizerFromGguf } from "../../../models/tokenizers/tokenizer_gguf.ts";
import { namedPreTokenizers } from "../../../models/tokenizers/tokenizer_pre.ts";
import { tokenizerToGguf } from "../../../models/tokenizers/tokenizer_to_gguf.ts";
import { encodeGgufHeader, type GgufTyped } from "../../../quant/files/gguf_header.ts";
import type { GgufValue } from "../../../quant/files/gguf_value.ts";
import { findPeer } from "../../support/peers.ts";
import { realTokenizer } from "./tokenizer_files.ts";
import { random } from "./tokenizer_mutate.ts";

const child = fromFileUrl(new URL("./tokenizer_llama_cpp_child.mjs", import.meta.url));
const peer = await findPeer("node-llama-cpp");

/** A GGUF file that has a vocabulary and nothing else. */
function vocabularyFile(
  entries: Iterable<readonly [string, GgufValue | GgufTyped]>,
): Uint8Array<ArrayBuffer> {
  const count = (value: number): GgufTyped => ({ type: "uint32", value });
  const metadata = new Map<string, GgufValue | GgufTyped>([
    ["general.architecture", "llama"],
    ["llama.block_count", count(1)],
    ["llama.context_length", count(64)],
    ["llama.embedding_length", count(64)],
    ["llama.feed_forward_length", count(64)],
    ["llama.attention.head_count", count(8)],
    ["llama.attention.layer_norm_rms_epsilon", { type: "float32", value: 1e-5 }],
  ]);
  for (const [key, value] of entries) {
    metadata.set(key, typeof value === "number" ? count(value) : value);
  }
  return encodeGgufHeader(metadata, [], 32);
}

/** What llama.cpp says of a file. */
interface Answer {
  readonly error?: string;
  readonly tokens: number[][];
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly bos: number | null;
  readonly eos: number | null;
}

async function llamaCpp(
  contents: readonly Uint8Array<ArrayBuffer>[],
  lines: readonly string[],
  special = false,
): Promise<Answer[]> {
  const folder = await Deno.makeTempDir();
  try {
    const files = contents.map((_, i) => join(folder, `vocabulary${i}.gguf`));
    for (const [i, path] of files.entries()) await Deno.writeFile(path, contents[i]);
    const output = join(folder, "tokens.json");
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-config",
        "--node-modules-dir=manual",
        child,
        peer.folder ?? "",
        output,
      ],
      env: { GGML_NO_BACKTRACE: "1" },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify({ files, lines, special })));
    await writer.close();
    const { code, stderr } = await process.output();
    assert(code === 0, new TextDecoder().decode(stderr));
    return JSON.parse(await Deno.readTextFile(output));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Without byte tokens llama.cpp cannot spell what is not in the vocabulary. */
function spelled(tokenizer: Tokenizer, line: string): boolean {
  return !tokenizer.encode(line, { addSpecial: false }).includes(0);
}

for (const model of ["reviews-4m", "tinystories-656k"] as const) {
  const files = realTokenizer(model);
  const reason = files === undefined ? "../shared/data is missing" : peer.reason;
  Deno.test({
    name: `llama.cpp gives the same ids for ${model}${
      reason ? ` (skipped, because ${reason})` : ""
    }`,
    ignore: reason !== undefined,
    async fn() {
      const tokenizer = tokenizerFromJson(files!.json, files!.config);
      const lines = [
        ...files!.text.split("\n").slice(0, 80),
        " a  b ",
        "é 1234 x's  don't",
        "你好 😀 ok",
      ]
        .filter((line) => line !== "" && spelled(tokenizer, line));
      assert(lines.length > 30);
      const file = vocabularyFile(tokenizerToGguf(files!.json, files!.config));
      const [{ tokens }] = await llamaCpp([file], lines);
      assertEquals(tokens, lines.map((line) => tokenizer.encode(line, { addSpecial: false })));
    },
  });
}

const peerReason = peer.reason ? ` (skipped, because ${peer.reason})` : "";

/** The letters of all bytes: GPT-2's alphabet. */
const byteLetters: string[] = (() => {
  const letters = [..."\u0021-\u007e\u00a1-\u00ac\u00ae-\u00ff".matchAll(/(.)-(.)/gu)].flatMap(
    ([, first, last]) => {
      const [from, to] = [first, last].map((letter) => letter.codePointAt(0)!);
      return Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));
    },
  );
  return [...letters, ...Array.from({ length: 68 }, (_, i) => String.fromCharCode(256 + i))];
})();

/** Byte-level BPE in which many pairs of letters are a token: where words are cut shows in the pairs. */
function pairs(pre: string, more: Record<string, unknown> = {}): Map<string, GgufValue> {
  const common = [
    ...bytesAsLetters(
      " aAbzE1239'sStdmlL.,!?$+<=\n\r\t/\u00e9\u0663\u4f60\u{1F600}\u0301\u3000\u3002",
    ),
  ];
  const merges = [...new Set(common.flatMap((a) => common.map((b) => `${a} ${b}`)))];
  const tokens = [...byteLetters, ...merges.map((merge) => merge.replace(" ", "")), "<bos>"];
  return new Map(Object.entries({
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": pre,
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": Int32Array.from(tokens, (_, i) => i === tokens.length - 1 ? 3 : 1),
    "tokenizer.ggml.merges": merges,
    "tokenizer.ggml.bos_token_id": tokens.length - 1,
    "tokenizer.ggml.eos_token_id": tokens.length - 1,
    ...more,
  } as Record<string, GgufValue>));
}

/** Texts of what the names tell apart: letters, cases, digits, marks, spaces, ends of lines, other scripts. */
function texts(count: number): string[] {
  const next = random(23);
  const parts = [
    ..."aAbzE1239.,!?$+<=/",
    ..." \n\t",
    " ",
    " ",
    "  ",
    "\r\n",
    "'s",
    "'S",
    "'ll",
    "12345",
    "don't",
    "\u00e9",
    "\u00c9",
    "\u4f60",
    "\u0939\u093f",
    "\u{1F600}",
    "\u3002",
    "\u2026",
    "\uac00",
    "<sentinel:12>",
    "IMGIMGABZ",
  ];
  return Array.from(
    { length: count },
    () =>
      Array.from(
        { length: 1 + Math.floor(next() * 14) },
        () => parts[Math.floor(next() * parts.length)],
      ).join(""),
  );
}

Deno.test({
  name: `llama.cpp cuts as we do, for every name of a pre-tokenizer${peerReason}`,
  ignore: peer.reason !== undefined,
  async fn() {
    const names = namedPreTokenizers.flatMap((entry) => entry.names);
    const lines = texts(120);
    const files = names.map((name) => pairs(name));
    const answers = await llamaCpp(files.map((it) => vocabularyFile(it)), lines);
    for (const [i, name] of names.entries()) {
      const { error, tokens, addBos } = answers[i];
      assertEquals(error, undefined, name);
      const tokenizer = tokenizerFromGguf(files[i]);
      for (const [k, line] of lines.entries()) {
        assertEquals(
          tokenizer.encode(line, { addSpecial: false }),
          tokens[k],
          `${name}: ${JSON.stringify(line)}`,
        );
      }
      assertEquals(tokenizer.start.length > 0, addBos, name);
    }
  },
});

/** A SentencePiece vocabulary of bytes and a few pieces: entries, pieces with types, and how pieces score. */
function pieces(
  { more = {}, without = [], added = [], score = (_: string, i: number) => -i - 1, types = {} }: {
    readonly more?: Record<string, unknown>;
    readonly without?: readonly string[];
    readonly added?: readonly (readonly [string, number])[];
    readonly score?: (piece: string, i: number) => number;
    readonly types?: Readonly<Record<string, number>>;
  } = {},
): Map<string, GgufValue> {
  const words = "\u2581 a b c d e f ab bc cd abc bcd de \u2581a \u2581ab abcd \u00e9 \u00e9a ef def"
    .split(" ");
  const bytes = Array.from(
    { length: 256 },
    (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...words, ...added.map(([text]) => text)];
  const typed = new Map<string, number>([
    ...["<s>", "</s>"].map((it): [string, number] => [it, 3]),
    ...bytes.map((it): [string, number] => [it, 6]),
    ...added,
    ["<unk>", 2],
    ...Object.entries(types),
  ]);
  const all: Record<string, unknown> = {
    model: "llama",
    tokens,
    scores: Float32Array.from(
      tokens,
      (it) => words.includes(it) ? score(it, words.indexOf(it)) : 0,
    ),
    token_type: Int32Array.from(tokens, (it) => typed.get(it) ?? 1),
    bos_token_id: 1,
    eos_token_id: 2,
    unknown_token_id: 0,
    ...more,
  };
  const entries = Object.entries(all).filter(([name]) => !without.includes(name));
  return new Map(
    entries.map(([name, value]) => [
      name.startsWith("general.") ? name : `tokenizer.ggml.${name}`,
      value as GgufValue,
    ]),
  );
}

/** What files in the wild leave out or say otherwise. */
const oddPieces: Readonly<Record<string, Map<string, GgufValue>>> = {
  plain: pieces(),
  "all scores alike, as convert.py wrote for tokenizers without any": pieces({
    score: () => -1000,
  }),
  "scores by length": pieces({ score: (it) => -Math.ceil(10 / [...it].length) }),
  "no scores": pieces({ without: ["scores"] }),
  "no types": pieces({ without: ["token_type"] }),
  "no space in front": pieces({ more: { add_space_prefix: false } }),
  "unused pieces": pieces({ types: { bc: 5, cd: 5, abc: 5 } }),
  "special tokens of type normal": pieces({
    added: [["<|im_end|>", 1], ["<|eot_id|>", 4], ["<|fim_pad|>", 1], ["<|file_sep|>", 1]],
    types: { "<s>": 1, "</s>": 1 },
  }),
  "texts of the user": pieces({ added: [["  ", 4], ["abc d", 4], ["<pad>", 5]] }),
  "a BOS beyond all ids": pieces({ more: { bos_token_id: 0xffffffff } }),
  "merges that its scores do not know": pieces({ more: { merges: ["a b"] } }),
  "Phi-3 by its name": pieces({
    more: { "general.name": "Phi-3 Mini" },
    added: [["<|user|>", 4], ["<|end|>", 3], ["<|endoftext|>", 3]],
  }),
};

Deno.test({
  name: `llama.cpp makes the same pieces of files that leave things out${peerReason}`,
  ignore: peer.reason !== undefined,
  async fn() {
    const lines = [
      ..."abcdef|ab cd|abcabcd|  abcd de| a|\u00e9abc|a<s> b|<unk>a|cdef|bbcdd|bcdbcd".split("|"),
      "<s>abc</s> de",
      "abc d<|im_end|> a<|eot_id|>b",
      "\n\nab\t c \u{1F600}a",
      "a<|fim_pad|>b<|file_sep|>c",
      "<|user|> a <|end|>\n b<pad>",
    ];
    const files = Object.values(oddPieces);
    const answers = await llamaCpp(files.map((it) => vocabularyFile(it)), lines, true);
    for (const [i, name] of Object.keys(oddPieces).entries()) {
      assertEquals(answers[i].error, undefined, name);
      const tokenizer = tokenizerFromGguf(files[i]);
      for (const [k, line] of lines.entries()) {
        assertEquals(
          tokenizer.encode(line, { addSpecial: false }),
          answers[i].tokens[k],
          `${name}: ${JSON.stringify(line)}`,
        );
      }
      assertEquals(tokenizer.start, [1], name);
    }
    // What fills in a middle or separates files ends an answer as well.
    const { ends } = tokenizerFromGguf(oddPieces["special tokens of type normal"]);
    assertEquals([...ends].sort((a, b) => a - b), [2, 279, 280, 281, 282]);
  },
});

/** A tokenizer as Gemma's: SentencePiece's merges, spaces replaced, no space in front, cut at spaces of which none is left, runs of spaces and line ends of their own. */
function gemmaTokenizer(): Record<string, unknown> {
  const special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"];
  const runs = ["\n\n", "\n\n\n"];
  const bytes = Array.from(
    { length: 256 },
    (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const letters = [..."\u2581\nabcdeéx"];
  const merges = [
    "\u2581 \u2581",
    "a b",
    "\u2581 a",
    "\u2581 ab",
    "b c",
    "ab c",
    "d e",
    "\u2581\u2581 a",
  ];
  const made = merges.map((merge) => merge.replace(" ", ""));
  const all = [...special, ...runs, ...bytes, ...letters, ...made];
  const vocab = Object.fromEntries(all.map((token, id) => [token, id]));
  const added = (content: string, isSpecial: boolean) => ({
    id: vocab[content],
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: isSpecial,
  });
  const bos = { SpecialToken: { id: "<bos>", type_id: 0 } };
  const text = (id: string) => ({ Sequence: { id, type_id: 0 } });
  return {
    version: "1.0",
    added_tokens: [
      ...special.map((it) => added(it, true)),
      ...runs.map((it) => added(it, false)),
    ],
    normalizer: { type: "Replace", pattern: { String: " " }, content: "\u2581" },
    pre_tokenizer: {
      type: "Split",
      pattern: { String: " " },
      behavior: "MergedWithPrevious",
      invert: false,
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [bos, text("A")],
      pair: [bos, text("A"), bos, text("B")],
      special_tokens: { "<bos>": { id: "<bos>", ids: [vocab["<bos>"]], tokens: ["<bos>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab,
      merges: merges.map((merge) => merge.split(" ")),
    },
  };
}

Deno.test({
  name:
    `a tokenizer as Gemma's gives the same tokens from the GGUF written of it, here and in llama.cpp${peerReason}`,
  ignore: peer.reason !== undefined,
  async fn() {
    const config = {
      add_bos_token: true,
      bos_token: "<bos>",
      eos_token: "<eos>",
      unk_token: "<unk>",
    };
    const json = gemmaTokenizer();
    const tokenizer = tokenizerFromJson(json, config);
    assertEquals(tokenizer.encode("ab")[0], 2);
    const next = random(5);
    const parts = ["a", "b", "c", "abc", " ", "  ", "   ", "\n", "\n\n", "de", "é", "你", "x"];
    const lines = Array.from({ length: 150 }, () =>
      Array.from(
        { length: 1 + Math.floor(next() * 9) },
        () => parts[Math.floor(next() * parts.length)],
      ).join(""));
    const metadata = tokenizerToGguf(json, config);
    const [{ error, tokens, addBos }] = await llamaCpp([vocabularyFile(metadata)], lines);
    assertEquals([error, addBos], [undefined, true]);
    const again = tokenizerFromGguf(metadata);
    for (const [i, line] of lines.entries()) {
      const ours = tokenizer.encode(line, { addSpecial: false });
      assertEquals(again.encode(line, { addSpecial: false }), ours, JSON.stringify(line));
      assertEquals(tokens[i], ours, JSON.stringify(line));
      assertEquals(again.decode(ours), line);
    }
    assertEquals(again.start, [2]);
  },
});
