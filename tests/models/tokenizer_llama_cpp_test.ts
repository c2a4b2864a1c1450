import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { type Tokenizer, tokenizerFromJson } from "../../models/tokenizer.ts";
import { tokenizerToGguf } from "../../models/tokenizer_to_gguf.ts";
import { encodeGgufHeader, type GgufTyped } from "../../quant/gguf_header.ts";
import type { GgufValue } from "../../quant/gguf_value.ts";
import { findPeer } from "../support/peers.ts";
import { realTokenizer, type TokenizerFiles } from "./tokenizer_files.ts";

const child = fromFileUrl(new URL("./tokenizer_llama_cpp_child.mjs", import.meta.url));
const peer = await findPeer("node-llama-cpp");

/** A GGUF file that has a vocabulary and nothing else. */
function vocabularyFile(files: TokenizerFiles): Uint8Array<ArrayBuffer> {
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
  for (const [key, value] of tokenizerToGguf(files.json, files.config)) {
    metadata.set(key, typeof value === "number" ? count(value) : value);
  }
  return encodeGgufHeader(metadata, [], 32);
}

async function llamaCppTokens(
  file: Uint8Array<ArrayBuffer>,
  lines: readonly string[],
): Promise<number[][]> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(join(folder, "vocabulary.gguf"), file);
    const output = join(folder, "tokens.json");
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-config",
        "--node-modules-dir=manual",
        child,
        peer.folder ?? "",
        join(folder, "vocabulary.gguf"),
        output,
      ],
      env: { GGML_NO_BACKTRACE: "1" },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(lines)));
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
      const tokens = await llamaCppTokens(vocabularyFile(files!), lines);
      assertEquals(tokens, lines.map((line) => tokenizer.encode(line, { addSpecial: false })));
    },
  });
}
