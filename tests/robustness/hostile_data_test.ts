/**
 * Damaged data files of every form, read from disk as a fine-tune reads them: rows or an error in this library's words that names the
 * file, soon. `QZO_HOSTILE_DATA=200000` tries more than the few that fit into every run; `QZO_HOSTILE_SEED` another series.
 */
import { assert } from "@std/assert";
import { join } from "@std/path";
import process from "node:process";
import { tokenizerFromJson } from "../../models/mod.ts";
import { exampleFormats } from "../../tasks/mod.ts";
import { parseTrainConfig, taskExamples } from "../../train/mod.ts";
import { random } from "../models/tokenizers/tokenizer_mutate.ts";

const TRIES = Number(Deno.env.get("QZO_HOSTILE_DATA") ?? 1500);
const SEED = Number(Deno.env.get("QZO_HOSTILE_SEED") ?? 27);
const MOST_MILLISECONDS = 1000;

const letters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const vocab = Object.fromEntries(["\n", ...letters].map((letter, id) => [letter, id]));
const tokenizer = tokenizerFromJson({
  model: { type: "BPE", vocab, merges: [] },
  decoder: { type: "Fuse" },
});

const rows = [
  { text: 'a "good", film', label: 1, other: [1, { a: null }] },
  { text: "caf\u00e9 {bad} \\ \u{1f600}", label: 0, other: [] },
  { text: "x", label: 1, other: [1e3, -0.5] },
];
const lines = rows.map((row) => JSON.stringify(row)).join("\n");
const cells = rows.map(({ text, label }) => `"${text.replaceAll('"', '""')}",${label}`);
const files: Readonly<Record<string, string>> = {
  "a.jsonl": `${lines}\n`,
  "a.ndjson": lines.replaceAll("\n", "\r\n"),
  "a.json": JSON.stringify(rows, null, 2),
  "b.json": JSON.stringify(rows),
  "a.csv": `text,label\n${cells.join("\n")}\n`,
  "b.csv": `text,label\r\n${cells.join("\r\n")}`,
  "a.tsv": `text\tlabel\n${rows.map(({ text, label }) => `${text}\t${label}`).join("\n")}\n`,
  "a.txt": "One.\nTwo.\n\nThree.\n",
};
const odd = [0, 0x0a, 0x0d, 0x22, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d, 0x5c, 0x80, 0xc3, 0xff, 0xfe, 0xef];
const bits = [
  "NaN",
  '"',
  '""',
  "[",
  "{",
  "},{",
  "\\u",
  "\\ud800",
  "1e999",
  "12345678901234567890",
  '"text":',
  "\uFEFF",
  "\u0000",
  "\r",
  "\n\n",
  "\u2028",
];

type Bytes = Uint8Array<ArrayBuffer>;

function damaged(text: string, next: () => number): Bytes {
  const below = (count: number): number => Math.floor(next() * count);
  let bytes: Bytes = new TextEncoder().encode(text);
  if (next() < 0.2) bytes = utf16(text, next() < 0.5, next() < 0.8);
  for (let count = 1 + below(2); count > 0; count--) {
    const at = below(bytes.length + 1);
    const [before, after] = [bytes.slice(0, at), bytes.slice(at)];
    const put = (...parts: Uint8Array[]) => {
      const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let end = 0;
      for (const part of parts) {
        joined.set(part, end);
        end += part.length;
      }
      bytes = joined;
    };
    const encode = (it: string) => new TextEncoder().encode(it);
    const change = [
      () => put(before),
      () => put(before, after.slice(1 + below(8))),
      () => put(before, new Uint8Array([odd[below(odd.length)]]), after.slice(below(2))),
      () => put(before, encode(bits[below(bits.length)]), after),
      () => put(before, before, after),
      () => put(before, encode(bits[below(bits.length)].repeat(1 + below(2000))), after),
      () => put(new Uint8Array([[0xff, 0xfe], [0xfe, 0xff], [0xef, 0xbb, 0xbf]][below(3)]), bytes),
      () => put(after, before),
    ];
    change[below(change.length)]();
  }
  return bytes;
}

function utf16(text: string, littleEndian: boolean, mark: boolean): Bytes {
  const whole = mark ? `\uFEFF${text}` : text;
  const view = new DataView(new ArrayBuffer(2 * whole.length));
  for (let i = 0; i < whole.length; i++) view.setUint16(2 * i, whole.charCodeAt(i), littleEndian);
  return new Uint8Array(view.buffer);
}

Deno.test(`damaged data files give examples or a typed error that names the file, seed ${SEED}`, async () => {
  const folder = await Deno.makeTempDir();
  const counts = { read: 0, refused: 0 };
  const next = random(SEED);
  const names = Object.keys(files);
  try {
    for (let i = 0; i < TRIES; i++) {
      const name = names[i % names.length];
      const bytes = damaged(files[name], next);
      const path = join(folder, name);
      await Deno.writeFile(path, bytes);
      const format = next() < 0.1 ? exampleFormats[Math.floor(next() * exampleFormats.length)] : "";
      const answers = next() < 0.5;
      const yaml = `model: a.gguf
task: {${
        answers
          ? 'template: "{text}{label}", labels: {"0": " bad", "1": " good"}'
          : "name: language-modelling"
      }${format && `, format: ${format}`}}
data: {train: ${path}, validation: ${path}}
max_length: 32
`;
      const what = () =>
        `seed ${SEED}, file ${i}: ${name}, ${bytes.length} bytes, base64 ${
          bytes.slice(0, 3000).toBase64()
        }`;
      const begun = process.cpuUsage();
      try {
        const { train } = await taskExamples(parseTrainConfig(yaml, "t.yaml"), tokenizer);
        assert(train.examples.length > 0, what());
        counts.read++;
      } catch (error) {
        const typed = error instanceof SyntaxError || error instanceof RangeError ||
          error instanceof TypeError;
        const own = typed && error.message.startsWith("Cannot ") && error.message.includes(name);
        assert(own, `${what()}: ${error instanceof Error ? error.stack : error}`);
        counts.refused++;
      }
      // Of the processor: what a busy machine does in between does not count.
      const { user, system } = process.cpuUsage(begun);
      const took = (user + system) / 1000;
      assert(took < MOST_MILLISECONDS, `${what()}: ${took} ms`);
    }
    console.log(`  ${TRIES} files, seed ${SEED}: ${counts.read} read, ${counts.refused} refused`);
    assert(counts.read > TRIES / 10 && counts.refused > TRIES / 4, JSON.stringify(counts));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
