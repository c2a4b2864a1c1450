/**
 * What is damaged for every reader that users' files go through, and how it is read.
 *
 * @module
 */
import { assert } from "@std/assert";
import { join } from "@std/path";
import { openModelSource, type Tokenizer, tokenizerFromJson } from "../../models/mod.ts";
import { ggufModelSource } from "../../models/checkpoints/gguf/open_gguf.ts";
import {
  encodeHeader,
  encodeRecord,
  NOISE_VERSION,
  qzoNormalised,
  readLedger,
} from "../../optim/mod.ts";
import { bytesSource } from "../../quant/mod.ts";
import { loadTask, taskFromConfig } from "../../tasks/mod.ts";
import { readMetrics } from "../../train/mod.ts";
import { readTrainConfig } from "../../train/config/schema.ts";
import { parseYaml } from "../../train/config/parse_yaml.ts";
import { huggingFaceConfig, safetensorsOf } from "../models/small_model.ts";
import { smallTokenizer } from "../models/tokenizers/tokenizer_files.ts";
import { mutated, mutatedText, random } from "../models/tokenizers/tokenizer_mutate.ts";
import { mutate } from "../quant/mutations.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../support/gguf_writer.ts";
import { randomLlama } from "../support/random_llama.ts";

const shape: LlamaShape = {
  ...{ hidden: 16, layers: 1, feedForward: 32, heads: 2, kvHeads: 1, vocabulary: 264 },
  ...{ epsilon: 1e-5, ropeBase: 10000, rope: "neox" },
};

/** A reader and what is damaged for it. */
export interface Reader {
  readonly name: string;
  /** Its share of the inputs. */
  readonly share: number;
  /** What is damaged is left out, so that nothing is refused. */
  readonly tolerant?: boolean;
  /** Damages by the seed and reads. */
  readonly read: (seed: number) => Promise<unknown> | unknown;
}

/** Values damaged as values, as text, or as bytes. */
function damagedJson(value: unknown, seed: number): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  const text = () => JSON.stringify(value);
  switch (seed % 4) {
    case 0:
      return bytesOf(mutatedText(text(), next));
    case 1: {
      const bytes = bytesOf(text());
      return mutate(bytes, bytes.length, seed >> 2);
    }
    default: {
      let damaged = value;
      for (let i = 0; i <= next() * 3; i++) damaged = mutated(damaged, next);
      return bytesOf(JSON.stringify(damaged) ?? "");
    }
  }
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Texts that a tokenizer with damage must survive as well. */
function useTokenizer(tokenizer: Tokenizer | undefined): void {
  for (const text of ["a fine film", "", "   ", "\u0000é\u{1f600}", "ab".repeat(50)]) {
    if (!tokenizer) continue;
    const ids = tokenizer.encode(text);
    tokenizer.decode(ids);
  }
}

/** A folder with one file damaged. */
function inFolder(
  folder: string,
  file: string,
  damage: (seed: number) => Uint8Array,
): (seed: number) => Promise<void> {
  return async (seed) => {
    const path = join(folder, file);
    await Deno.writeFile(path, damage(seed));
    using source = await openModelSource(folder);
    useTokenizer(source.tokenizer);
  };
}

async function modelFolder(root: string, name: string, shards = 1): Promise<string> {
  const folder = join(root, name);
  await Deno.mkdir(folder);
  const weights = randomLlama(shape, { tied: true });
  const json = (file: string, value: unknown) =>
    Deno.writeTextFile(join(folder, file), JSON.stringify(value));
  await json("config.json", huggingFaceConfig(shape, true));
  await json("tokenizer.json", smallTokenizer());
  const map: Record<string, string> = {};
  for (let i = 0; i < shards; i++) {
    const file = shards === 1
      ? "model.safetensors"
      : `model-0000${i + 1}-of-0000${shards}.safetensors`;
    const own = Object.entries(weights).filter((_, at) => at % shards === i);
    own.forEach(([tensor]) => map[tensor] = file);
    await Deno.writeFile(join(folder, file), safetensorsOf(shape, Object.fromEntries(own)));
  }
  if (shards > 1) await json("model.safetensors.index.json", { metadata: {}, weight_map: map });
  return folder;
}

const CONFIGS = {
  plain: huggingFaceConfig(shape, true),
  scaled: {
    ...huggingFaceConfig(shape, true),
    architectures: ["LlamaForCausalLM"],
    rope_parameters: {
      rope_type: "llama3",
      rope_theta: 5e5,
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    },
    sliding_window: 64,
    layer_types: ["sliding_attention"],
    quantization_config: { quant_method: "gptq", bits: 4, group_size: 32, dynamic: { "-:lm": {} } },
  },
};

const special = { content: "<s>", lstrip: false, single_word: false, normalized: false };

const TOKENIZERS: readonly unknown[] = [
  smallTokenizer(),
  {
    added_tokens: [{ id: 0, special: true, ...special }],
    normalizer: {
      type: "Sequence",
      normalizers: [{ type: "NFC" }, { type: "Prepend", prepend: "\u2581" }, {
        type: "Replace",
        pattern: { String: " " },
        content: "\u2581",
      }],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [{ type: "ByteFallback" }, { type: "Fuse" }, {
        type: "Strip",
        content: " ",
        start: 1,
        stop: 0,
      }],
    },
    model: {
      type: "BPE",
      vocab: { "<s>": 0, "\u2581": 1, a: 2, b: 3, ab: 4, "\u2581a": 5, "<0x41>": 6 },
      merges: ["a b", ["\u2581", "a"]],
      byte_fallback: true,
      fuse_unk: true,
      unk_token: "<s>",
    },
  },
  {
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: { Regex: "\\p{N}{1,3}|\\s+" },
          behavior: "Isolated",
          invert: false,
        },
        { type: "Punctuation", behavior: "Isolated" },
        { type: "Metaspace", replacement: "\u2581", prepend_scheme: "first", split: true },
      ],
    },
    decoder: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "first", split: true },
    model: {
      type: "Unigram",
      unk_id: 0,
      vocab: [["<unk>", 0], ["\u2581", -1], ["a", -2], ["fine", -3.5], ["film", -4]],
    },
  },
  {
    normalizer: { type: "BertNormalizer", lowercase: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##" },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: { "[UNK]": 0, a: 1, fine: 2, "##ly": 3 },
    },
  },
];

const YAML = `model: m.gguf
task: { name: mood, template: "{text} It was{label}", labels: { "0": " bad", "1": " good" } }
data: { folder: data, train: train.jsonl, validation: dev.jsonl, train_limit: 10 }
optimiser: { name: qzoNormalised, learning_rate: 0.02, epsilon: 1e-3, queries: 2 }
trainables: { kinds: [scales], layers: 0-3 }
steps: 10
batch_size: 4
`;

const DATA: Readonly<Record<string, string>> = {
  jsonl: '{"label": 1, "text": "a stirring film"}\n{"label": 0, "text": "a bore \\u00e9"}\n',
  json: '[{"label": 1, "text": "a stirring film"}, {"label": 0, "text": "a bore"}]',
  csv: 'text,label\n"a ""stirring"", film",1\r\na bore,0\n',
  tsv: "text\tlabel\na stirring film\t1\na bore\t0\n",
  labelled: "1 a stirring film\n0 a bore\n",
};

/** A ledger of a few steps. */
function ledgerBytes(): Uint8Array<ArrayBuffer> {
  const optimiser = qzoNormalised();
  const { stateSize } = optimiser.transformation;
  const head = encodeHeader({
    model: "0".repeat(64),
    trainables: [{
      ...{ name: "blk.0.attn_q.weight", id: 1, rows: 4, columns: 32, span: 32, count: 4 },
      form: "relative",
    }],
    optimiser: optimiser.describe(),
    seed: 1,
    distribution: optimiser.distribution,
    projection: optimiser.projection,
    noiseVersion: NOISE_VERSION,
    directions: 1,
    stateSize,
    data: null,
    created: "2026-01-01T00:00:00.000Z",
  });
  const records = Array.from(
    { length: 5 },
    (_, i) => [...encodeRecord(head, i, [i / 8], new Array(stateSize).fill(i))],
  );
  return new Uint8Array([...head.bytes, ...records.flat()]);
}

/** All readers, with the files that they need in a folder. */
export async function readersIn(root: string): Promise<Reader[]> {
  const gguf = ggufBytes(
    {
      ...llamaMetadata(shape),
      "llama.rope.scaling.type": { kind: "string", value: "linear" },
      "llama.rope.scaling.factor": { kind: "f32", value: 2 },
    },
    llamaF32Tensors({ ...shape, rope: "norm" }, randomLlama(shape, { tied: true })),
  );
  const header = gguf.length - Object.values(randomLlama(shape, { tied: true }))
    .reduce((sum, it) => sum + it.byteLength, 0);
  const dense = await modelFolder(root, "dense");
  const shards = await modelFolder(root, "shards", 2);
  const tokens = await modelFolder(root, "tokens");
  const weights = await modelFolder(root, "weights");
  const index = JSON.parse(await Deno.readTextFile(join(shards, "model.safetensors.index.json")));
  const safetensors = await Deno.readFile(join(weights, "model.safetensors"));
  const ledger = ledgerBytes();
  const metrics = [
    { type: "evaluation", step: 0, loss: 1, examples: 4, best: true, correct: 2, accuracy: 0.5 },
    { type: "step", step: 1, loss: 0.9, derivatives: [1], coefficients: [0.1], tokensPerSecond: 9 },
  ];
  const pick = <T>(from: readonly T[], seed: number): T => from[(seed >> 3) % from.length];
  return [
    {
      name: "config.json",
      share: 3,
      read: inFolder(
        dense,
        "config.json",
        (seed) => damagedJson(pick(Object.values(CONFIGS), seed), seed),
      ),
    },
    {
      name: "model.safetensors.index.json",
      share: 2,
      read: inFolder(shards, "model.safetensors.index.json", (seed) => damagedJson(index, seed)),
    },
    {
      name: "safetensors",
      share: 2,
      read: inFolder(
        weights,
        "model.safetensors",
        (seed) =>
          mutate(safetensors, 8 + new DataView(safetensors.buffer).getUint32(0, true), seed),
      ),
    },
    {
      name: "tokenizer_config.json",
      share: 1,
      read: inFolder(tokens, "tokenizer_config.json", (seed) =>
        damagedJson({
          tokenizer_class: "LlamaTokenizerFast",
          add_bos_token: true,
          bos_token: special,
          eos_token: "b",
          chat_template: [{ name: "default", template: "{{ messages }}" }],
          added_tokens_decoder: { "0": special },
        }, seed)),
    },
    {
      name: "tokenizer.json",
      share: 4,
      read: (seed) => {
        const text = new TextDecoder().decode(damagedJson(pick(TOKENIZERS, seed), seed));
        let json: unknown;
        try {
          json = JSON.parse(text);
        } catch {
          return;
        }
        useTokenizer(tokenizerFromJson(json));
      },
    },
    {
      name: "GGUF",
      share: 4,
      read: async (seed) => {
        using source = await ggufModelSource(
          bytesSource(mutate(gguf, header, seed), "damaged.gguf"),
        );
        useTokenizer(source.tokenizer);
      },
    },
    {
      name: "ledger",
      share: 2,
      read: (seed) => {
        const { records } = readLedger(mutate(ledger, ledger.length, seed));
        for (const { coefficients } of records) assert(coefficients.every(Number.isFinite));
      },
    },
    {
      name: "YAML",
      share: 2,
      read: (seed) =>
        readTrainConfig(parseYaml(mutatedText(YAML, random(seed)), "c.yaml"), "c.yaml"),
    },
    {
      name: "metrics.jsonl",
      share: 1,
      tolerant: true,
      read: async (seed) => {
        const path = join(root, "metrics.jsonl");
        const line = pick(metrics, seed);
        await Deno.writeFile(path, damagedJson(line, seed));
        await readMetrics(path);
      },
    },
    ...Object.entries(DATA).map(([format, text]): Reader => ({
      name: `data, ${format}`,
      share: 1,
      read: async (seed) => {
        const file = format === "labelled" ? "rows.txt" : `rows.${format}`;
        const bytes = seed % 2 === 0
          ? bytesOf(mutatedText(text, random(seed)))
          : mutate(bytesOf(text), text.length, seed >> 1);
        await Deno.writeFile(join(root, file), bytes);
        const task = taskFromConfig({
          ...{ name: "mood", file, template: "{text} It was{label}" },
          labels: { "0": " bad", "1": " good" },
          format: format === "json" ? "jsonl" : format,
        });
        await loadTask(task, "train", root);
      },
    })),
  ];
}

/** The seed of input `i` of the reader at `place`. */
export function inputSeed(seed: number, place: number, i: number): number {
  return (Math.imul(seed, 0x9e3779b1) + Math.imul(place, 0x85ebca6b) + i) >>> 1;
}

/** How many inputs each reader gets of `inputs`. */
export function countsOf(readers: readonly Reader[], inputs: number): number[] {
  const shares = readers.reduce((sum, { share }) => sum + share, 0);
  return readers.map(({ share }) => Math.ceil(inputs * share / shares));
}
