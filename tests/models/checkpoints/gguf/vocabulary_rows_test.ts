/**
 * As many tokens as the embedding has rows: what llama.cpp loads.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import { openModelSource, type SpelledTokenizer, writeModel } from "../../../../models/mod.ts";
import {
  fitVocabulary,
  type GgufEntries,
} from "../../../../models/checkpoints/gguf/vocabulary_rows.ts";
import { llamaCppLogits, llamaCppMissing } from "../../../support/llama_cpp.ts";
import { kindShape, writeKindFolder } from "../../../support/model_kinds.ts";
import { withTemp } from "../../quantised_folder.ts";

const missing = await llamaCppMissing();

/** A tokenizer with one token more than there are rows. */
const withAdded = (content: string, config: Record<string, unknown> = {}) =>
(
  files: SpelledTokenizer,
): SpelledTokenizer => ({
  json: {
    ...files.json,
    added_tokens: [...files.json.added_tokens as unknown[], {
      id: kindShape.vocabulary,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    }],
  },
  config: { ...files.config, ...config },
});

Deno.test("a token without a row is left out with a note, and llama.cpp loads the file", async () => {
  for (const config of [{}, { pad_token: "[PAD]" }]) {
    await withTemp(async (at) => {
      const folder = join(at, "source");
      await writeKindFolder(folder, { tokenizer: withAdded("[PAD]", config) });
      using source = await openModelSource(folder);
      const path = join(at, "a.gguf");
      const { notes } = await writeModel(source, path);
      assertStringIncludes(
        notes!.at(-1)!,
        'Left out: "[PAD]" (272): the embedding has 272 rows',
      );
      assertEquals(notes!.length, "pad_token" in config ? 2 : 1);
      using written = await openModelSource(path);
      const { metadata } = written.header!;
      assertEquals((metadata.get("tokenizer.ggml.tokens") as string[]).length, 272);
      for (const name of ["scores", "token_type"]) {
        assertEquals((metadata.get(`tokenizer.ggml.${name}`) as Int32Array).length, 272);
      }
      assert(!metadata.has("tokenizer.ggml.padding_token_id"));
      if (missing) return console.log(`skipped, because ${missing}`);
      assertEquals((await llamaCppLogits(path, [1, 5, 9])).length, 3);
    });
  }
});

Deno.test("a token that ends texts and has no row is refused before anything is written", async () => {
  await withTemp(async (at) => {
    const folder = join(at, "source");
    await writeKindFolder(folder, { tokenizer: withAdded("<|end|>", { eos_token: "<|end|>" }) });
    using source = await openModelSource(folder);
    const path = join(at, "a.gguf");
    const error = await assertRejects(() => writeModel(source, path), RangeError);
    assertStringIncludes(
      error.message,
      'eos_token_id is 272 ("<|end|>"), and the embedding has 272 rows',
    );
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  });
});

Deno.test("merges that make or need a token without a row are left out with it", () => {
  const metadata: GgufEntries = new Map<string, never>();
  const set = (name: string, value: string[] | Int32Array<ArrayBuffer>) =>
    metadata.set(`tokenizer.ggml.${name}`, value);
  set("tokens", ["a", "b", "ab", "abb", "bb"]);
  set("token_type", Int32Array.of(1, 1, 1, 1, 1));
  set("merges", ["a b", "b b", "ab b", "a bb"]);
  const notes = fitVocabulary(metadata, 3);
  assertEquals(notes.length, 1);
  assertStringIncludes(notes[0], '"abb" (3), "bb" (4)');
  assertEquals(metadata.get("tokenizer.ggml.merges"), ["a b"]);
  assertEquals(metadata.get("tokenizer.ggml.token_type"), Int32Array.of(1, 1, 1));
});

Deno.test("rows without a token get names", () => {
  const metadata: GgufEntries = new Map<string, never>();
  metadata.set("tokenizer.ggml.tokens", ["a"]);
  metadata.set("tokenizer.ggml.scores", Float32Array.of(-1));
  metadata.set("tokenizer.ggml.token_type", Int32Array.of(1));
  assertEquals(fitVocabulary(metadata, 3), []);
  assertEquals(metadata.get("tokenizer.ggml.tokens"), ["a", "[PAD1]", "[PAD2]"]);
  assertEquals(metadata.get("tokenizer.ggml.scores"), Float32Array.of(-1, 0, 0));
  assertEquals(metadata.get("tokenizer.ggml.token_type"), Int32Array.of(1, 5, 5));
  metadata.set("tokenizer.ggml.bos_token_id", { type: "uint32", value: 2 });
  assertThrows(() => fitVocabulary(metadata, 2), RangeError, "bos_token_id is 2");
});
