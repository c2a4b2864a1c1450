// Configurations that lie: whatever the value of whatever key, a typed error or a configuration, at once.
import { assert } from "@std/assert";
import { configFromHuggingFace } from "../../models/mod.ts";
import { quantizedTensors } from "../../models/checkpoints/hugging_face/methods.ts";
import { configFromGguf } from "../../models/config/config_gguf.ts";
import type { KeyTable } from "../../models/config/config_keys.ts";
import { ROPE_KEYS } from "../../models/config/config_rope.ts";
import { ARCHITECTURES } from "../../models/architectures.ts";
import { llama } from "../../models/architectures/llama.ts";
import { QUANTIZATION_KEYS } from "../../models/checkpoints/hugging_face/quantization_keys.ts";
import { huggingFaceConfig, smallShape } from "../models/small_model.ts";
import { robertaConfig, smallBert, smallRoberta } from "../models/architectures/small_roberta.ts";
import { optConfig, smallOpt } from "../models/small_opt.ts";
import { llamaMetadata } from "../support/gguf_writer.ts";
import { processorTime } from "../support/processor_time.ts";
import { randomNumbers } from "../support/random_llama.ts";

const RUNS = 5000;
const MOST_MILLISECONDS = 1000;

const random = randomNumbers(7);
const draw = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];

const deep = (levels: number): unknown => levels === 0 ? 1 : [deep(levels - 1)];
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  3,
  0.5,
  1e300,
  -0,
  2 ** 31,
  "",
  "x",
  "linear",
  "llama3",
  "default",
  "sliding_attention",
  "a".repeat(1e5),
  [],
  {},
  [0],
  ["x"],
  [null],
  [[]],
  [{}],
  { a: null },
  { a: {} },
  { a: [1] },
  { full_attention: {} },
  { full_attention: null },
  { __proto__: null, type: 3 },
  { config_groups: { a: { apply: [null] } } },
  { "+:(a*)*": { bits: 8 } },
  { "(": 3 },
  { "-": {} },
  { factor: "2", type: "linear" },
  deep(500),
  NaN,
];

const CONFIG_KEYS = llama.huggingFace.keys;
const GGUF_KEYS = llama.gguf!.keys;

const withKeys = (
  table: KeyTable,
): string[] => [...Object.keys(table), "unknown", "_own", "license", "toString", "__proto__x"];

function changed(base: Record<string, unknown>, table: KeyTable): Record<string, unknown> {
  const keys = withKeys(table);
  const copy = { ...base };
  for (let i = 0; i <= random() * 4; i++) copy[draw(keys)] = draw(VALUES);
  return copy;
}

function run(read: () => unknown): "read" | "refused" {
  const start = processorTime();
  try {
    read();
    return "read";
  } catch (error) {
    const typed = error instanceof RangeError || error instanceof SyntaxError ||
      error instanceof TypeError;
    assert(typed && (error as Error).message.startsWith("Cannot "), String(error));
    assert((error as Error).message.length < 2000);
    return "refused";
  } finally {
    assert(processorTime() - start < MOST_MILLISECONDS);
  }
}

const metadata = Object.fromEntries(
  Object.entries(llamaMetadata(smallShape)).map(([key, { value }]) => [key, value]),
);

const ROPE = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
};

const READERS: Record<string, () => unknown> = {
  "config.json": () =>
    configFromHuggingFace(changed(huggingFaceConfig(smallShape, true), CONFIG_KEYS)),
  "rope_scaling": () =>
    configFromHuggingFace({
      ...huggingFaceConfig(smallShape, true),
      [draw(["rope_scaling", "rope_parameters"])]: changed(ROPE, ROPE_KEYS),
    }),
  "GGUF metadata": () => {
    const change = changed({}, GGUF_KEYS);
    const map = new Map<string, unknown>(Object.entries(metadata));
    for (const [key, value] of Object.entries(change)) map.set(`llama.${key}`, value);
    return configFromGguf(map, { embeddingRows: smallShape.vocabulary, hasHead: false });
  },
  "quantization_config": () => {
    const quant_method = draw(Object.keys(QUANTIZATION_KEYS));
    const base = { quant_method, bits: 4, group_size: 32, formats: {} };
    return quantizedTensors(changed(base, QUANTIZATION_KEYS[quant_method]), new Map(), "c.json");
  },
};

/** Sound configurations of those that are not spelled as Llama's. */
const BASES: Record<string, Record<string, unknown>> = {
  opt: optConfig(smallOpt),
  roberta: robertaConfig(smallRoberta),
  bert: robertaConfig(smallBert),
  gpt2: { model_type: "gpt2", n_embd: 96, n_layer: 2, n_head: 4, vocab_size: 290, n_positions: 64 },
};

// And of every other architecture, in both kinds of file.
for (const { name, huggingFace, gguf } of ARCHITECTURES.filter((it) => it.name !== "llama")) {
  const [model_type] = huggingFace.modelTypes;
  const base = BASES[name] ?? { ...huggingFaceConfig(smallShape, true), model_type };
  READERS[`config.json of ${model_type}`] = () =>
    configFromHuggingFace(changed(base, huggingFace.keys));
  if (!gguf) continue;
  const fields = Object.entries(gguf.write(configFromHuggingFace(base)))
    .map(([key, value]) => [`${name}.${key}`, plain(value)] as const);
  READERS[`GGUF metadata of ${name}`] = () => {
    const map = new Map<string, unknown>([["general.architecture", name], ...fields]);
    for (const [key, value] of Object.entries(changed({}, gguf.keys))) {
      map.set(`${name}.${key}`, value);
    }
    return configFromGguf(map, { embeddingRows: smallShape.vocabulary, hasHead: false });
  };
}

/** A value of metadata without its type. */
function plain(value: unknown): unknown {
  return typeof value === "object" && value !== null && "value" in value ? value.value : value;
}

for (const [name, read] of Object.entries(READERS)) {
  Deno.test(`${RUNS} hostile values in ${name}: typed errors, at once`, () => {
    const counts = { read: 0, refused: 0 };
    for (let i = 0; i < RUNS; i++) counts[run(read)]++;
    assert(counts.read > 50 && counts.refused > 50, JSON.stringify(counts));
  });
}
