/**
 * Measures tokenising the rows of a task: rows per second, also compared with the Rust library that Python uses.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import { type Tokenizer, tokenizerFromJson } from "../models/mod.ts";
import { parseTrainConfig, taskExamples } from "../train/mod.ts";
import { findNode } from "../tests/support/node.ts";
import { findPeer } from "../tests/support/peers.ts";
import { exists, sharedData } from "../tests/support/shared_data.ts";
import { describeMachine } from "./support/machine.ts";

const HELP = `Rows of a task in tokens, rows a second, beside the Rust library in the same run.

Usage: deno task bench tokenize [options]

  --rows N          rows (default 100000), made of the file's by turning their words round
  --folder DIR      with tokenizer.json (default reviews-4m of ../shared/data, else demo/)
  --data FILE       JSON lines with "sentence" and "label" (default demo/reviews_train.jsonl)
  --rounds N        how often each is done, in turn (default 5)
  --help            this text

"loading" is all that a fine-tune does with its file before the first step: reading, checking, rendering, tokenising each prompt alone
and with each of two answers, and looking for examples that are held out too. "prompts" is tokenising alone, one text after another
on one thread, in both. A processor second of this process is that of all its threads. Peers: node and npm's tokenizers in .tools/peers (QZO_TEST_TOOLS=1 sh scripts/test_tools.sh). Medians.`;

const TEMPLATE = "{sentence} It was{label}";
const LABELS = { "0": " terrible", "1": " great" };

/** Prints the table. */
export async function main(args: string[]): Promise<void> {
  const options = parseArgs(args, {
    string: ["rows", "folder", "data", "rounds"],
    boolean: ["help"],
    default: { rows: "100000", rounds: "5" },
  });
  if (options.help) return console.log(HELP);
  const count = Number(options.rows);
  const rounds = Number(options.rounds);
  const demo = fromFileUrl(new URL("../demo", import.meta.url));
  const real = sharedData("models/reviews-4m");
  const tokens = options.folder ?? (exists(real) ? real : demo);
  const file = options.data ?? join(demo, "reviews_train.jsonl");
  const work = await Deno.makeTempDir({ prefix: "qzo-tokenize-" });
  try {
    const rows = turnedRows(await Deno.readTextFile(file), count);
    const train = join(work, "rows.jsonl");
    await Deno.writeTextFile(train, rows.map((row) => JSON.stringify(row)).join("\n") + "\n");
    const prompts = rows.map(({ sentence }) => `${sentence} It was`);
    await Deno.writeTextFile(join(work, "texts.json"), JSON.stringify(prompts));
    const json = JSON.parse(await Deno.readTextFile(join(tokens, "tokenizer.json")));
    const times: Record<"loading" | "prompts" | "rust", number[]> = {
      loading: [],
      prompts: [],
      rust: [],
    };
    const busy: Record<string, number[]> = { loading: [], prompts: [] };
    let silence = 0;
    let sum = 0;
    let note = "";
    for (let round = 0; round < rounds; round++) {
      let used = processorSeconds();
      const loaded = await load(tokenizerFromJson(json), train, work);
      busy.loading.push(processorSeconds() - used);
      times.loading.push(loaded.seconds);
      silence = Math.max(silence, loaded.silence);
      const tokenizer = tokenizerFromJson(json);
      const begin = performance.now();
      used = processorSeconds();
      sum = checksum(prompts.map((text) => tokenizer.encode(text, { addSpecial: false })));
      times.prompts.push((performance.now() - begin) / 1000);
      busy.prompts.push(processorSeconds() - used);
      const rust = await encodeInRust(join(tokens, "tokenizer.json"), join(work, "texts.json"));
      if ("reason" in rust) note = rust.reason;
      else {
        times.rust.push(rust.seconds);
        if (rust.sum !== sum) throw new Error(`The Rust library has other tokens: ${rust.sum}`);
      }
    }
    console.log(await describeMachine(null));
    console.log("\n| what | rows/s | a processor second | against the Rust library |");
    console.log("|---|---|---|---|");
    const rate = (seconds: readonly number[]) => count / median(seconds);
    const base = times.rust.length > 0 ? rate(times.rust) : undefined;
    for (const [what, seconds] of Object.entries(times)) {
      if (seconds.length === 0) continue;
      const ratio = base && what !== "loading" ? (rate(seconds) / base).toFixed(2) : "";
      const shown = (rate: number) => Math.round(rate).toLocaleString("en");
      const own = busy[what] ? shown(rate(busy[what])) : "";
      console.log(`| ${what} | ${shown(rate(seconds))} | ${own} | ${ratio} |`);
    }
    console.log(`\nLongest silence of loading: ${silence.toFixed(0)} ms.`);
    console.log(note === "" ? "The Rust library has the same tokens." : `Skipped, because ${note}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

interface Labelled {
  readonly sentence: string;
  readonly label: unknown;
}

/** Rows with the words of the file's rows, rotated and numbered, so that all are different. */
function turnedRows(text: string, count: number): Labelled[] {
  const rows: Labelled[] = text.trim().split("\n").map((line) => JSON.parse(line));
  return Array.from({ length: count }, (_, i) => {
    const { sentence, label } = rows[i % rows.length];
    const words = sentence.split(" ");
    const cut = Math.floor(i / rows.length) % words.length;
    return { sentence: [...words.slice(cut), ...words.slice(0, cut), i].join(" "), label };
  });
}

async function load(
  tokenizer: Tokenizer,
  train: string,
  folder: string,
): Promise<{ seconds: number; silence: number }> {
  const config = parseTrainConfig(
    JSON.stringify({
      model: "model.gguf",
      task: { template: TEMPLATE, labels: LABELS },
      data: { folder, train },
    }),
    "bench",
  );
  const begin = performance.now();
  let last = begin;
  let silence = 0;
  const heard = (): void => {
    const now = performance.now();
    silence = Math.max(silence, now - last);
    last = now;
  };
  await taskExamples(config, tokenizer, { maxPositions: 160, onProgress: heard });
  heard();
  return { seconds: (last - begin) / 1000, silence };
}

const NODE_PROGRAM = `
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const [folder, tokenizer, texts] = process.argv.slice(1);
const { Tokenizer } = createRequire(folder + "/")("tokenizers");
const it = Tokenizer.fromFile(tokenizer);
const all = JSON.parse(readFileSync(texts, "utf8"));
const begin = performance.now();
let sum = 0;
for (const text of all) {
  for (const id of (await it.encode(text, null, { addSpecialTokens: false })).getIds()) sum = (sum * 31 + id) % 4294967291;
}
console.log(JSON.stringify({ seconds: (performance.now() - begin) / 1000, sum }));
`;

async function encodeInRust(
  tokenizer: string,
  texts: string,
): Promise<{ seconds: number; sum: number } | { reason: string }> {
  const [node, peers] = [await findNode(), await findPeer("tokenizers")];
  if (node.path === undefined) return { reason: node.reason };
  if (peers.folder === undefined) return { reason: peers.reason };
  const { success, stdout, stderr } = await new Deno.Command(node.path, {
    args: ["--input-type=module", "--eval", NODE_PROGRAM, peers.folder, tokenizer, texts],
    env: { TOKENIZERS_PARALLELISM: "false" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(text(stderr));
  return JSON.parse(text(stdout));
}

function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function checksum(lists: readonly (readonly number[])[]): number {
  let sum = 0;
  for (const ids of lists) for (const id of ids) sum = (sum * 31 + id) % 4294967291;
  return sum;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
