import { assert, assertEquals, assertLess } from "@std/assert";
import { bytesOfEscaped, escapedText } from "../../../quant/files/escaped_text.ts";
import { bytesSource } from "../../../quant/files/byte_source.ts";
import { readGguf } from "../../../quant/files/gguf.ts";
import { encodeGgufHeader } from "../../../quant/files/gguf_header.ts";
import { copiedMetadata } from "../../../quant/files/gguf_split.ts";
import { tokenizerFromGguf } from "../../../models/tokenizers/tokenizer_gguf.ts";
import { random } from "../../models/tokenizers/tokenizer_mutate.ts";
import { processorTime } from "../../support/processor_time.ts";

Deno.test("bytes become a text and the text the same bytes, whatever they are", () => {
  const next = random(41);
  const parts = [
    [0x61],
    [0xc3, 0xa9],
    [0xe2, 0x96, 0x81],
    [0xf0, 0x9f, 0x98, 0x80],
    [0xff],
    [0x80],
    [0xe2, 0x96],
    [0xed, 0xb2, 0x80], // half of a pair, which is no UTF-8
    [0xc0, 0xaf],
    [0xef, 0xbb, 0xbf],
    [0],
  ];
  const seen = new Map<string, string>();
  for (let i = 0; i < 2000; i++) {
    const bytes = Uint8Array.from(
      Array.from({ length: Math.floor(next() * 6) }, () => parts[Math.floor(next() * parts.length)])
        .flat(),
    );
    const text = escapedText(bytes);
    assertEquals([...bytesOfEscaped(text)], [...bytes]);
    assertEquals(seen.get(text) ?? bytes.join(), bytes.join());
    seen.set(text, bytes.join());
    // What is UTF-8 is read as such.
    const plain = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    if (!plain.includes("\uFFFD")) assertEquals(text, plain);
  }
});

Deno.test("every pair and triple of bytes that begin and go on a character is read as the decoder does", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const firsts = [0x7f, 0x80, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xee, 0xef];
  firsts.push(0xf0, 0xf1, 0xf4, 0xf5, 0xff);
  const others = [0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0];
  for (const first of firsts) {
    for (const second of others) {
      for (const third of others) {
        for (
          const bytes of [[first, second], [first, second, third], [first, second, third, 0x80]]
        ) {
          let valid: string | undefined;
          try {
            valid = strict.decode(Uint8Array.from(bytes));
          } catch {
            // Then some of it is escaped.
          }
          // Behind a byte that is none, so that it is not decoded as a whole.
          const text = escapedText(Uint8Array.from([0xff, ...bytes]));
          assertEquals(text.slice(1).isWellFormed(), valid !== undefined, bytes.join());
          if (valid !== undefined) assertEquals(text.slice(1), valid);
          assertEquals([...bytesOfEscaped(text)], [0xff, ...bytes]);
        }
      }
    }
  }
});

Deno.test("much that is no UTF-8 takes no longer than it must", () => {
  const next = random(7);
  const bytes = Uint8Array.from({ length: 2 ** 20 }, () => next() * 256);
  const begun = processorTime();
  const text = escapedText(bytes);
  const back = bytesOfEscaped(text);
  const milliseconds = processorTime() - begun;
  assertLess(milliseconds, 1000);
  assertEquals(back.length, bytes.length);
  assert(back.every((byte, i) => byte === bytes[i]));
});

Deno.test("tokens that are no UTF-8, and marks of byte order, are copied byte for byte", async () => {
  const tokens = [
    "a",
    escapedText(Uint8Array.of(0xff, 0xfe)),
    escapedText(Uint8Array.of(0xfe, 0xff)),
    "\uFEFF",
  ];
  const header = encodeGgufHeader(
    new Map<string, string | string[]>([
      ["tokenizer.ggml.model", "gpt2"],
      ["tokenizer.ggml.tokens", tokens],
      ["tokenizer.ggml.merges", []],
    ]),
    [],
    32,
  );
  const file = await readGguf(bytesSource(header, "tokens.gguf"));
  assertEquals(file.metadata.get("tokenizer.ggml.tokens"), tokens);
  assertEquals(encodeGgufHeader(copiedMetadata(file), [], 32), header);
  const tokenizer = tokenizerFromGguf(file.metadata);
  assertEquals(tokenizer.vocabularySize, 4);
  assertEquals(tokenizer.encode("a"), [0]);
  assertEquals(tokenizer.decode([0, 3]), "a\uFEFF");
});
