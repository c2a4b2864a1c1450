import { assert, assertEquals } from "@std/assert";
import { tokenizerFromJson } from "../../../models/tokenizers/tokenizer.ts";
import { streamDecoder } from "../../../models/tokenizers/tokenizer_stream.ts";
import { realTokenizer } from "./tokenizer_files.ts";
import { random } from "./tokenizer_mutate.ts";

for (const model of ["reviews-4m", "tinystories-656k"] as const) {
  const files = realTokenizer(model);
  Deno.test({
    name: `increments of ${model} joined are the text${
      files ? "" : " (skipped, because ../shared/data is missing)"
    }`,
    ignore: files === undefined,
    fn() {
      const tokenizer = tokenizerFromJson(files!.json, files!.config);
      const ids = tokenizer.encode(
        files!.text.slice(0, 3000) + " 😀é€ naïve 你好 " + files!.text.slice(0, 500),
      );
      const stream = streamDecoder(tokenizer);
      const increments = ids.map((id) => stream.push(id));
      assert(increments.every((text) => !text.includes("\uFFFD")));
      assertEquals(increments.join("") + stream.end(), tokenizer.decode(ids));
      assert(increments.filter((text) => text !== "").length > ids.length / 2);
    },
  });
}

const bytes = tokenizerFromJson({
  model: {
    type: "BPE",
    vocab: Object.fromEntries(
      Array.from(
        { length: 256 },
        (_, i) => [`<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`, i],
      ),
    ),
    merges: [],
    byte_fallback: true,
  },
  decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] },
});

Deno.test("characters come whole from single bytes, over many windows", () => {
  const text = "aé€😀".repeat(40);
  const ids = [...new TextEncoder().encode(text)];
  const stream = streamDecoder(bytes);
  const increments = ids.map((id) => stream.push(id)).filter((increment) => increment !== "");
  assertEquals(increments, Array.from(text));
  assertEquals(stream.end(), "");
});

Deno.test("what never becomes a character comes at the end, and garbage is not held back forever", () => {
  const stream = streamDecoder(bytes);
  assertEquals([0x61, 0xF0, 0x9F].map((id) => stream.push(id)), ["a", "", ""]);
  assert(/^\uFFFD+$/.test(stream.end()));
  const next = random(5);
  const garbage = streamDecoder(bytes);
  let length = 0;
  for (let i = 0; i < 200; i++) length += garbage.push(0x80 + Math.floor(next() * 64)).length;
  assert(length >= 190, `${length}`);
});
